package catalog

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
)

// shared is the folder of real documents beside the checkout, "" when this machine does not have it.
func shared(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the test's folder")
		}
		dir = filepath.Dir(dir)
	}
	out := filepath.Join(filepath.Dir(dir), "shared", "openapi")
	if _, err := os.Stat(out); err != nil {
		return ""
	}
	return out
}

func realFS(t *testing.T, dir, catalogue string) fs.FS {
	t.Helper()
	files := fstest.MapFS{"catalog.yaml": {Data: []byte(catalogue)}}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(filepath.Join(dir, name))
		files[name] = &fstest.MapFile{Data: data}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

const realCatalogue = `apis:
  agency:
    title: Agency API
    accounts: [agency]
    base: /Agencies/{AccountSID}
    hosts: [api.impact.com]
    version: {header: IR-Version, query: IrVersion, override: refuse}
    versions:
      "3": {state: current, released: 2022-10-12, documents: [agency-v3/*.yaml]}
    passthrough:
      - {prefix: "/Agencies/{AccountSID}/Advertisers/{AdvertiserId}", brand: AdvertiserId, api: brand}
    scopes:
      report-export.export-report: {access: write, needs: [jobs.get-job, jobs.download-job-result]}
      advertisers.list-advertisers: {sensitive: "returns the brands' own credentials"}
    parameters: {JobId: {allow: ":"}}
  brand:
    title: Brand API
    accounts: [brand]
    base: /Advertisers/{AccountSID}
    hosts: [api.impact.com]
    versions:
      "14": {state: current, released: 2026-06-01, documents: [brand-v14/*.yaml]}
`

func TestReal(t *testing.T) {
	dir := shared(t)
	src, ps, err := Load(realFS(t, dir, realCatalogue), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range ps {
		t.Log(p)
	}
	res, ps := Build(src, Options{})
	for _, p := range ps {
		t.Log(p)
	}
	t.Log(res.Counts)
}
