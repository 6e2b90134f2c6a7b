#!/usr/bin/env bash
# Kafka 4.1.1 (Java 17, ssl.client.auth=required): a client whose certificate has expired is refused with the alert
# certificate_unknown, as for a certificate that nobody knows. Redis 7.0.15 sends certificate_expired, the alert that TLS has for
# this. So "unknown certificate" of a broker does not mean that its trust store lacks the authority.
source "$(dirname "$0")/lib.sh"

command -v go >/dev/null || cannot "no Go"
mkdir "$FOLDER/ask"
cat >"$FOLDER/ask/main.go" <<'GO'
// ask DIR makes an authority, a server's certificate, and a good and an expired certificate of a client.
// ask DIR PORT NAME connects with a client's certificate and prints how the server answers it.
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"time"
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}

func sign(name string, until time.Time, parent *x509.Certificate, by *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	t := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: until, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	if parent == nil {
		t.IsCA, t.KeyUsage, t.ExtKeyUsage, parent, by = true, x509.KeyUsageCertSign, nil, t, key
	}
	raw, err := x509.CreateCertificate(rand.Reader, t, parent, key.Public(), by)
	must(err)
	made, err := x509.ParseCertificate(raw)
	must(err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	must(err)
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})
	keyText := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
	file := os.Args[1] + "/" + name
	must(os.WriteFile(file+".crt", text, 0o600))
	must(os.WriteFile(file+".key", keyText, 0o600))
	must(os.WriteFile(file+".pem", append(keyText, text...), 0o600))
	return made, key
}

func main() {
	if len(os.Args) == 2 {
		ca, key := sign("ca", time.Now().Add(time.Hour), nil, nil)
		sign("server", time.Now().Add(time.Hour), ca, key)
		sign("good", time.Now().Add(time.Hour), ca, key)
		sign("expired", time.Now().Add(-time.Hour), ca, key)
		return
	}
	file := os.Args[1] + "/" + os.Args[3]
	own, err := tls.LoadX509KeyPair(file+".crt", file+".key")
	must(err)
	text, err := os.ReadFile(os.Args[1] + "/ca.crt")
	must(err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	conn, err := tls.Dial("tcp", "127.0.0.1:"+os.Args[2], &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{own}})
	must(err)
	must(conn.SetReadDeadline(time.Now().Add(2 * time.Second)))
	_, err = conn.Read(make([]byte, 1)) // the server says nothing to a client that it takes
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		fmt.Println("taken")
		return
	}
	fmt.Println(err)
}
GO
(cd "$FOLDER/ask" && go mod init ask && go build -o "$FOLDER/program" .) >"$FOLDER/go.log" 2>&1 ||
	cannot "$(tail -3 "$FOLDER/go.log")"
"$FOLDER/program" "$FOLDER" || cannot "no certificates"

debian bookworm redis-server
REDIS=$(port 1)
(within bookworm redis-server --port 0 --tls-port "$REDIS" --tls-cert-file "$FOLDER/server.crt" --tls-key-file \
	"$FOLDER/server.key" --tls-ca-cert-file "$FOLDER/ca.crt" --tls-auth-clients yes --save "" \
	--dir "$FOLDER") >"$FOLDER/redis.log" 2>&1 &
STARTED+=("$!")
eventually listens "$REDIS"
still "Redis 7.0.15, a good certificate" "$("$FOLDER/program" "$FOLDER" "$REDIS" good)" taken
still "Redis 7.0.15, an expired certificate" "$("$FOLDER/program" "$FOLDER" "$REDIS" expired)" \
	"remote error: tls: expired certificate"

SETTINGS="listener.security.protocol.map=PLAINTEXT:SSL,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
ssl.client.auth=required
ssl.keystore.type=PEM
ssl.keystore.location=$FOLDER/server.pem
ssl.truststore.type=PEM
ssl.truststore.location=$FOLDER/ca.crt"
BASE=$(port 4)
kafka 4.1.1
broker 4.1.1 1 1 "$BASE"
eventually listens $((BASE + 2))
still "Kafka 4.1.1, a good certificate" "$("$FOLDER/program" "$FOLDER" $((BASE + 2)) good)" taken
still "Kafka 4.1.1, an expired certificate" "$("$FOLDER/program" "$FOLDER" $((BASE + 2)) expired)" \
	"remote error: tls: unknown certificate"
