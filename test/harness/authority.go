package harness

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Authority is a certificate authority of one test. Its files are in PEM form. Its name has to differ from those of its servers:
// OpenSSL takes a certificate that names its own subject as its issuer for one that signs itself.
type Authority struct {
	File        string // its certificate
	t           testing.TB
	dir         string
	key         *ecdsa.PrivateKey
	certificate *x509.Certificate
}

// Pair is a certificate and its key, in two files and in one.
type Pair struct{ Cert, Key, Both string }

// NewAuthority makes an authority that trusts itself.
func NewAuthority(t testing.TB, name string) *Authority {
	t.Helper()
	a := &Authority{t: t, dir: folder(t, "authority")}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	a.key, a.certificate = a.sign(template, nil, time.Now().Add(time.Hour))
	a.File = filepath.Join(a.dir, "ca.pem")
	a.write(a.File, block("CERTIFICATE", a.certificate.Raw))
	return a
}

// Server makes a certificate for a server that is called by the hosts, names or addresses.
func (a *Authority) Server(name string, hosts ...string) Pair {
	a.t.Helper()
	template := &x509.Certificate{Subject: pkix.Name{CommonName: name}}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	return a.issue(template, time.Now().Add(time.Hour))
}

// Client makes a certificate for a client, valid until the given time.
func (a *Authority) Client(name string, until time.Time) Pair {
	a.t.Helper()
	return a.issue(&x509.Certificate{Subject: pkix.Name{CommonName: name}}, until)
}

// Trusting returns the settings of a test's own client that shows a certificate.
func (a *Authority) Trusting(own Pair) *tls.Config {
	a.t.Helper()
	pair, err := tls.LoadX509KeyPair(own.Cert, own.Key)
	if err != nil {
		a.t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(a.certificate)
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool, Certificates: []tls.Certificate{pair}}
}

// issue signs a certificate for server and client alike, because brokers and replicas are both.
func (a *Authority) issue(template *x509.Certificate, until time.Time) Pair {
	a.t.Helper()
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	key, certificate := a.sign(template, a.certificate, until)
	name := filepath.Join(a.dir, certificate.SerialNumber.Text(36))
	p := Pair{Cert: name + ".crt", Key: name + ".key", Both: name + ".pem"}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	certText, keyText := block("CERTIFICATE", certificate.Raw), block("PRIVATE KEY", secret)
	a.write(p.Cert, certText)
	a.write(p.Key, keyText)
	a.write(p.Both, append(keyText, certText...))
	return p
}

// sign makes a key and its certificate, which the authority signs, or the key itself where parent is nil.
func (a *Authority) sign(template, parent *x509.Certificate, until time.Time) (*ecdsa.PrivateKey, *x509.Certificate) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		a.t.Fatal(err)
	}
	template.SerialNumber, template.NotBefore, template.NotAfter = serial, time.Now().Add(-48*time.Hour), until
	signer := a.key
	if parent == nil {
		parent, signer = template, key
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		a.t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(raw)
	if err != nil {
		a.t.Fatal(err)
	}
	return key, certificate
}

func (a *Authority) write(name string, text []byte) {
	a.t.Helper()
	if err := os.WriteFile(name, text, 0o600); err != nil {
		a.t.Fatal(err)
	}
}

func block(kind string, content []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content})
}
