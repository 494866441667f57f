package probe

// fixes are the lines of the snippets (examples/proxies) that a fault points to. A proxy that does the thing
// by itself has none.
var fixes = map[string][]Fix{
	"asked": {
		{"nginx", "auth_request /_counterfoil;"},
		{"nginx", "proxy_set_header X-Original-Method $request_method; X-Original-URI $request_uri; X-Forwarded-Host $http_host; (in the question's location)"},
		{"Caddy", "forward_auth 127.0.0.1:8081 { uri /authorize … } before reverse_proxy, inside of route"},
		{"HAProxy", "http-request lua.counterfoil, and after it: http-request deny deny_status 503 unless { var(txn.counterfoil_allowed) -m str yes }"},
		{"Traefik", "middlewares: [counterfoil, counterfoil-no-credential] on the router"},
		{"Counterfoil", "proxies.doors: the address from which the proxy asks (only this machine's by default)"},
	},
	"words": {
		{"nginx", "error_page 401 403 = @counterfoil_refused;"},
		{"nginx", "add_header WWW-Authenticate $counterfoil_challenge_once always;"},
		{"nginx", "proxy_pass http://counterfoil_doors/authorize/nginx; (the door that has words for nginx)"},
		{"HAProxy", "the script counterfoil.lua, which answers with what the door said"},
	},
	"handed": {
		{"nginx", `no proxy_set_header Authorization ""; in the location of the question (it belongs in the API's)`},
		{"Caddy", "no header_up -Authorization inside of forward_auth (it belongs in reverse_proxy)"},
		{"Traefik", "authRequestHeaders left out, so that all of the client's fields go to the door"},
	},
	"same": {
		{"nginx", "proxy_set_header X-Original-URI $request_uri; X-Original-Method $request_method; X-Forwarded-Host $http_host;"},
		{"Caddy", "no rewrite, uri or handle_path before forward_auth"},
		{"HAProxy", "no set-path, replace-path or set-method before http-request lua.counterfoil"},
		{"Traefik", "no StripPrefix, ReplacePath or AddPrefix before forwardAuth"},
		{"Counterfoil", "hosts: of the API in the catalogue"},
	},
	"path": {
		{"nginx", "proxy_set_header X-Original-URI $request_uri; ($uri is decoded and merged)"},
		{"nginx", "proxy_pass http://counterfoil_api; (without a path, which would send the decoded one)"},
		{"Caddy", "no rewrite, uri or handle_path before forward_auth"},
		{"HAProxy", "http-request set-uri %[pathq] before the question, and no other rewriting"},
		{"Traefik", "no StripPrefix, ReplacePath or AddPrefix before forwardAuth"},
	},
	"method": {
		{"nginx", "proxy_set_header X-Original-Method $request_method;"},
	},
	"forwarded": {
		{"nginx", "proxy_set_header X-Original-Method $request_method;"},
		{"nginx", "proxy_set_header X-Original-URI $request_uri;"},
		{"nginx", "proxy_set_header X-Forwarded-Host $http_host;"},
		{"HAProxy", "the script counterfoil.lua, which drops the client's X-Forwarded-*"},
		{"Traefik", "trustForwardHeader: false"},
	},
	"door": {
		{"nginx", "internal; in the location of the question"},
		{"Counterfoil", "listen.doors: an address that only the proxy reaches"},
	},
	"allowed": {
		{"nginx", "proxy_pass http://counterfoil_api;"},
	},
	"credential": {
		{"nginx", `proxy_set_header Authorization "";`},
		{"Caddy", "header_up -Authorization"},
		{"HAProxy", "http-request del-header authorization"},
		{"Traefik", `customRequestHeaders: {Authorization: ""} in a middleware after forwardAuth`},
	},
	"identity": {
		{"nginx", "auth_request_set $counterfoil_… $upstream_http_x_counterfoil_…; and proxy_set_header X-Counterfoil-… $counterfoil_…; for all seven"},
		{"Caddy", "copy_headers with all seven"},
		{"HAProxy", "the script counterfoil.lua, which sets all seven"},
		{"Traefik", "authResponseHeaders with all seven"},
	},
	"spoofed": {
		{"nginx", "proxy_set_header X-Counterfoil-… $counterfoil_…; for all seven, also those that are empty"},
		{"nginx", "underscores_in_headers off; ignore_invalid_headers on;"},
		{"Caddy", "request_header -*counterfoil* before forward_auth, inside of route"},
		{"Caddy", "header_up X-Counterfoil-… {http.request.header.X-Counterfoil-…} in reverse_proxy, for all seven"},
		{"HAProxy", "http-request del-header x-counterfoil- -m beg, and option http-restrict-req-hdr-names delete"},
		{"Traefik", "authResponseHeaders with all seven, and aliasHeadersStrategy: delete at the entry point"},
	},
	"bad": {
		{"nginx", "proxy_set_header X-Original-URI $request_uri;"},
		{"Caddy", "no rewrite, uri or handle_path before forward_auth"},
		{"Traefik", "no StripPrefix, ReplacePath or AddPrefix before forwardAuth"},
	},
}
