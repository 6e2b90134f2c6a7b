package harness

import (
	"os"
	"path/filepath"
	"testing"
)

// Prometheus starts a private Prometheus with a configuration, waits until it is ready, and returns its URL. The files that the
// configuration names have absolute paths. flags are further arguments.
func Prometheus(t testing.TB, conf string, flags ...string) (url string) {
	t.Helper()
	prometheus := Program(t, "prometheus", "prometheus")
	dir, address := folder(t, "prometheus"), Address(t)
	file := filepath.Join(dir, "prometheus.yaml")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	if check := Promtool(t, "check", "config", file); check.Code != 0 {
		t.Fatalf("Prometheus does not take the configuration:\n%s%s", check.Stdout, check.Stderr)
	}
	p := Start(t, prometheus, nil, append([]string{
		"--config.file=" + file, "--storage.tsdb.path=" + filepath.Join(dir, "data"), "--web.listen-address=" + address,
	}, flags...)...)
	p.WaitReady("http://" + address + "/-/ready")
	return "http://" + address
}

// Promtool runs promtool, which checks configurations and rules and is in Debian's package of Prometheus.
func Promtool(t testing.TB, args ...string) Result {
	t.Helper()
	return Run(t, "", Program(t, "promtool", "prometheus"), nil, args...)
}
