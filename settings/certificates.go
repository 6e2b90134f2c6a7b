package settings

import (
	"crypto/x509"
	"encoding/pem"
	"slices"
	"time"
)

// Kinds of certificates.
const (
	CertificateClient    = "client"    // by which the engine names itself
	CertificateAuthority = "authority" // by which a store is verified
)

// Certificate is a file with certificates by which a store is reached.
type Certificate struct {
	Store string // redis, kafka or mysql
	Kind  string // CertificateClient or CertificateAuthority
	File  string
	ends  func() time.Time
}

// Ends returns when the certificate ends. That of a client is read anew, as for each connection, so a renewed one counts at once.
// Authorities are those that were read at the start: the earliest end that is not over, and after all of them the latest.
func (c Certificate) Ends() time.Time { return c.ends() }

// Setting names the setting that names the file.
func (c Certificate) Setting() string {
	part := "cert"
	if c.Kind == CertificateAuthority {
		part = "ca"
	}
	return (&tlsReader{section: c.Store}).name(part)
}

// Certificates returns the files that the command uses, by store.
func (s *Settings) Certificates() []Certificate { return s.certificates }

func (r *tlsReader) note(kind, file string, ends func() time.Time) {
	r.certificates = append(r.certificates, Certificate{Store: r.section, Kind: kind, File: file, ends: ends})
}

// endsOf returns the ends of the certificates in a text of PEM blocks, the earliest first.
func endsOf(text string) (ends []time.Time) {
	for rest := []byte(text); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			slices.SortFunc(ends, time.Time.Compare)
			return ends
		}
		if found, err := x509.ParseCertificate(block.Bytes); err == nil && block.Type == "CERTIFICATE" {
			ends = append(ends, found.NotAfter) // the pool of authorities leaves out the others too
		}
	}
}

// next returns the first of some ends that is not over, else the last one.
func next(ends []time.Time) time.Time {
	now := time.Now()
	for _, end := range ends {
		if end.After(now) {
			return end
		}
	}
	return ends[len(ends)-1]
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
