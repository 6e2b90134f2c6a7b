package harness

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// Envoy starts a private Envoy with a configuration and waits until it listens on address. The caller provides the addresses
// and files that the configuration names.
func Envoy(t testing.TB, conf, address string) *Process {
	t.Helper()
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Fatalf("there is no package of Envoy for %s/%s: run this test on linux/amd64", runtime.GOOS, runtime.GOARCH)
	}
	program := filepath.Join(envoyServer.Files(t), "envoy", "_bin", "envoy")
	file := filepath.Join(folder(t, "envoy"), "envoy.yaml")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	if check := Run(t, "", program, nil, "--mode", "validate", "-c", file, "--log-level", "error"); check.Code != 0 {
		t.Fatalf("Envoy does not take the configuration:\n%s", Tail(check.Stderr))
	}
	p := Start(t, program, nil, "-c", file, "--log-level", "warning", "--concurrency", "1", "--use-dynamic-base-id")
	if err := p.until(func() error { return accepts(address) }); err != nil {
		t.Fatalf("%v\n%s", err, Tail(p.Stderr()))
	}
	return p
}
