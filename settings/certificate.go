package settings

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"sync/atomic"
	"time"
)

// maxPEMBytes bounds a file of certificates; a bundle of all public authorities has a fifth of it.
const maxPEMBytes = 1 << 20

// certificate reads the certificate by which clients name themselves, and returns what gives it to each new connection.
func (r *tlsReader) certificate() func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	certificate, part, err := readPair(r.files.Cert, r.files.Key)
	if err != nil {
		r.faults.addf("%s: %v", r.name(part), err)
		return nil
	}
	pair := &clientPair{setting: r.name("cert"), cert: r.files.Cert, key: r.files.Key}
	if err := pair.expired(certificate); err != nil {
		r.warnings = append(r.warnings, err.Error())
	}
	pair.last.Store(certificate)
	r.note(CertificateClient, r.files.Cert, pair.ends)
	return pair.present
}

// clientPair is a certificate and its key in two files. They are read again for each connection, so that a renewed
// certificate needs no restart. A pair that cannot be read, or half of which is renewed, leaves the last good one in use.
type clientPair struct {
	setting, cert, key string
	last               atomic.Pointer[tls.Certificate]
}

func (p *clientPair) present(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	last := p.renewed()
	return last, p.expired(last)
}

// renewed returns the pair that the next connection gets.
func (p *clientPair) renewed() *tls.Certificate {
	if certificate, _, err := readPair(p.cert, p.key); err == nil {
		p.last.Store(certificate)
	}
	return p.last.Load()
}

// ends returns when the first certificate of the chain ends.
func (p *clientPair) ends() time.Time {
	last := p.renewed()
	first := last.Leaf.NotAfter
	for _, raw := range last.Certificate[1:] {
		if above, err := x509.ParseCertificate(raw); err == nil { // a server that cannot read it refuses the chain at once
			first = earlier(first, above.NotAfter)
		}
	}
	return first
}

// expired returns an error for a certificate that no server accepts any more. Servers do not agree on what they say then:
// Kafka's says that the certificate is unknown.
func (p *clientPair) expired(certificate *tls.Certificate) error {
	if ends := certificate.Leaf.NotAfter; time.Now().After(ends) {
		return fmt.Errorf("%s: the certificate in %s has expired at %s", p.setting, p.cert, ends.UTC().Format(time.RFC3339))
	}
	return nil
}

// readPEM reads a file that is read again later: a pipe would be waited for, and could not be.
func readPEM(path string) (string, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s is not a regular file", path)
	}
	return readBounded(path, maxPEMBytes)
}

// readPair reads a certificate and its key. With an error it returns which of the two is wrong: cert or key.
func readPair(cert, key string) (pair *tls.Certificate, part string, err error) {
	certText, err := readPEM(cert)
	if err != nil {
		return nil, "cert", err
	}
	keyText, err := readPEM(key)
	if err != nil {
		return nil, "key", err
	}
	if !hasBlock(certText, "CERTIFICATE") {
		return nil, "cert", fmt.Errorf("%s holds no certificate in PEM form", cert)
	}
	read, err := tls.X509KeyPair([]byte(certText), []byte(keyText))
	if err != nil {
		return nil, "key", fmt.Errorf("%s is not the key of the certificate in %s: %w", key, cert, err)
	}
	return &read, "", nil
}

func hasBlock(text, kind string) bool {
	for rest := []byte(text); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return false
		}
		if block.Type == kind {
			return true
		}
	}
}
