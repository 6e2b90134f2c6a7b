package harness

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// nginxSurroundings gives a private copy its own pid file, logs and temporary folders inside DIR, because the configuration
// under test assumes the only nginx of the machine.
const nginxSurroundings = `http {
    access_log off;
    client_body_temp_path DIR/body;
    proxy_temp_path DIR/proxy;
    fastcgi_temp_path DIR/fastcgi;
    uwsgi_temp_path DIR/uwsgi;
    scgi_temp_path DIR/scgi;
`

// Nginx starts a private nginx with a configuration and waits until it listens on address. The caller provides the
// addresses and files that the configuration names. It is one process: workers would outlive a killed master.
func Nginx(t testing.TB, conf, address string) *Process {
	t.Helper()
	nginx := Program(t, "nginx", "nginx")
	dir := folder(t, "nginx")
	file := filepath.Join(dir, "nginx.conf")
	conf = strings.Replace(conf, "http {\n", strings.ReplaceAll(nginxSurroundings, "DIR", dir), 1)
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	directives := "daemon off; master_process off; error_log stderr; pid " + filepath.Join(dir, "pid") + ";"
	if check := Run(t, "", nginx, nil, "-t", "-q", "-p", dir, "-c", file, "-g", directives); check.Code != 0 {
		t.Fatalf("nginx does not take the configuration:\n%s", check.Stderr)
	}
	p := Start(t, nginx, nil, "-p", dir, "-c", file, "-g", directives)
	if err := p.until(func() error { return accepts(address) }); err != nil {
		t.Fatalf("%v\n%s", err, Tail(p.Stderr()))
	}
	return p
}
