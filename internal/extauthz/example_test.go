package extauthz_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	extauthzv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	connectionv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/encoding/protojson"
)

// TestTheFileForEnvoyIsOneThatEnvoyReads: every key is one of Envoy's own, every value is in its bounds, and
// what keeps attackers out is there.
func TestTheFileForEnvoyIsOneThatEnvoyReads(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("..", "..", "examples", "proxies", "envoy.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var tree any
	if err := yaml.Unmarshal(raw, &tree); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	var file bootstrapv3.Bootstrap
	if err := protojson.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	if err := file.ValidateAll(); err != nil {
		t.Fatal(err)
	}
	filters := file.GetStaticResources().GetListeners()[0].GetFilterChains()[0].GetFilters()
	var manager connectionv3.HttpConnectionManager
	if err := filters[0].GetTypedConfig().UnmarshalTo(&manager); err != nil {
		t.Fatal(err)
	}
	if err := manager.ValidateAll(); err != nil {
		t.Fatal(err)
	}
	if manager.GetNormalizePath().GetValue() || manager.GetMergeSlashes() ||
		manager.GetPathWithEscapedSlashesAction() != connectionv3.HttpConnectionManager_REJECT_REQUEST ||
		manager.GetCommonHttpProtocolOptions().GetHeadersWithUnderscoresAction() != corev3.HttpProtocolOptions_REJECT_REQUEST ||
		!manager.GetUseRemoteAddress().GetValue() {
		t.Error("Envoy would repair a path, or take a client's word")
	}
	// The question comes first: whatever filter stood before it would see requests that nobody judged.
	var door extauthzv3.ExtAuthz
	if err := manager.GetHttpFilters()[0].GetTypedConfig().UnmarshalTo(&door); err != nil {
		t.Fatal(err)
	}
	if err := door.ValidateAll(); err != nil {
		t.Fatal(err)
	}
	if door.GetFailureModeAllow() || !door.GetEncodeRawHeaders() || door.GetTransportApiVersion() != corev3.ApiVersion_V3 ||
		door.GetStatusOnError().GetCode() != typev3.StatusCode_ServiceUnavailable || door.GetWithRequestBody() != nil || door.GetAllowedHeaders() != nil {
		t.Errorf("the question is not the one that the door answers: %v", &door)
	}
	clusters := map[string]bool{}
	for _, c := range file.GetStaticResources().GetClusters() {
		clusters[c.GetName()] = true
	}
	if !clusters[door.GetGrpcService().GetEnvoyGrpc().GetClusterName()] || len(manager.GetRouteConfig().GetVirtualHosts()[0].GetRoutes()) != 1 {
		t.Error("the door's cluster is not there, or there is more than one route")
	}
}
