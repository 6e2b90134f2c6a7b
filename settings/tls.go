package settings

import (
	"crypto/tls"
	"crypto/x509"
	"strings"
	"time"

	"flashsale/dsn"
)

// TLSFiles are the files of a store's TLS, in PEM form: the authorities by which the server is verified, and the certificate by
// which the engine names itself.
type TLSFiles struct{ CA, Cert, Key string }

// RedisTLS returns how to connect to Redis with TLS, nil without TLS.
func (s *Settings) RedisTLS() *tls.Config { return s.secured(s.Redis.TLS, "redis") }

// KafkaTLS is RedisTLS for Kafka.
func (s *Settings) KafkaTLS() *tls.Config { return s.secured(s.Kafka.TLS, "kafka") }

// DatabaseTLS returns how to connect to the database with TLS, nil where no file is set: the DSN then decides.
func (s *Settings) DatabaseTLS() *tls.Config { return s.secured(s.MySQL.TLS.any(), "mysql") }

// secured returns what Load has made of a section's files, else the system's certificate authorities.
func (s *Settings) secured(on bool, section string) *tls.Config {
	if !on {
		return nil
	}
	if config := s.tls[section]; config != nil {
		return config
	}
	return newTLSConfig()
}

func newTLSConfig() *tls.Config { return &tls.Config{MinVersion: tls.VersionTLS12} }

func (f TLSFiles) any() bool { return f.CA != "" || f.Cert != "" || f.Key != "" }

// checkTLS reads the files of the stores that a command uses.
func (s *Settings) checkTLS(command string, faults *Faults) {
	for _, r := range []tlsReader{
		{section: "redis", off: !s.Redis.TLS, files: s.Redis.TLSFiles, serverName: s.Redis.TLSServerName},
		{section: "kafka", off: !s.Kafka.TLS, files: s.Kafka.TLSFiles, serverName: s.Kafka.TLSServerName},
		{section: "mysql", files: s.MySQL.TLS},
	} {
		if r.faults = faults; !uses(command, r.name("ca")) {
			continue
		}
		if r.off {
			r.refuseAll()
		} else if config := r.read(); config != nil {
			s.tls[r.section] = config
			s.certificates = append(s.certificates, r.certificates...)
		}
		s.warnings = append(s.warnings, r.warnings...)
	}
	if uses(command, "mysql.dsn") {
		s.checkDatabaseTLS(faults)
		s.checkReplica(faults)
	}
}

// uses reports whether a command reads a setting.
func uses(command, name string) bool {
	for _, setting := range UsedBy(command) {
		if setting.Name == name {
			return true
		}
	}
	return false
}

// tlsReader reads the files of one section.
type tlsReader struct {
	section    string
	off        bool // the section's setting tls is false
	files      TLSFiles
	serverName string
	faults     *Faults
	warnings   []string

	certificates []Certificate
}

func (r *tlsReader) name(part string) string { return r.section + ".tls_" + part + "_file" }

// refuseAll finds settings that would have no effect.
func (r *tlsReader) refuseAll() {
	for _, set := range []struct{ name, value string }{
		{r.name("ca"), r.files.CA}, {r.name("cert"), r.files.Cert}, {r.name("key"), r.files.Key},
		{r.section + ".tls_server_name", r.serverName},
	} {
		if set.value != "" {
			r.faults.addf("%s: needs %s.tls, which is false", set.name, r.section)
		}
	}
}

// read returns the configuration, nil after a fault and where nothing is set.
func (r *tlsReader) read() *tls.Config {
	if r.files == (TLSFiles{}) && r.serverName == "" {
		return nil
	}
	before := len(r.faults.Lines)
	config := newTLSConfig()
	config.ServerName = r.serverName
	if r.files.CA != "" {
		config.RootCAs = r.authorities()
	}
	switch {
	case r.files.Cert == "" && r.files.Key == "":
	case r.files.Key == "":
		r.faults.addf("%s: needs %s", r.name("cert"), r.name("key"))
	case r.files.Cert == "":
		r.faults.addf("%s: needs %s", r.name("key"), r.name("cert"))
	default:
		config.GetClientCertificate = r.certificate()
	}
	if len(r.faults.Lines) > before {
		return nil
	}
	return config
}

// authorities reads the certificates by which servers are verified.
func (r *tlsReader) authorities() *x509.CertPool {
	text, err := readPEM(r.files.CA)
	if err != nil {
		r.faults.addf("%s: %v", r.name("ca"), err)
		return nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(text)) {
		r.faults.addf("%s: %s holds no certificate in PEM form", r.name("ca"), r.files.CA)
		return nil
	}
	ends := endsOf(text)
	r.note(CertificateAuthority, r.files.CA, func() time.Time { return next(ends) })
	return pool
}

// checkReplica finds a replica of several servers: the beat of one says nothing about another.
func (s *Settings) checkReplica(faults *Faults) {
	if name, err := dsn.Parse(s.MySQL.ReadDSN.Reveal()); err == nil && strings.Contains(name.Addrs(), ",") {
		faults.addf("mysql.read_dsn: must name one server")
	}
}

// checkDatabaseTLS finds a DSN that contradicts the files.
func (s *Settings) checkDatabaseTLS(faults *Faults) {
	if !s.MySQL.TLS.any() {
		return
	}
	for _, given := range []struct {
		name string
		dsn  Secret
	}{{"mysql.dsn", s.MySQL.DSN}, {"mysql.read_dsn", s.MySQL.ReadDSN}} {
		name, err := dsn.Parse(given.dsn.Reveal())
		if err != nil || name.Config.TLSConfig == "" || name.Config.TLSConfig == "true" {
			continue
		}
		faults.addf("%s: has tls=%s, while mysql.tls_..._file ask for verified TLS: remove the parameter or the files",
			given.name, name.Config.TLSConfig)
	}
}
