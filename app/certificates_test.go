package app

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"flashsale/settings"
	"flashsale/test/harness"
)

// The metric has the end of each file that a process uses, and of a client's certificate the end of the renewed one.
func TestEndsOfCertificatesAreShown(t *testing.T) {
	ca := harness.NewAuthority(t, "ca")
	until := time.Now().Add(30 * time.Hour).Truncate(time.Second)
	own := ca.Client("engine", until)
	source, _, err := settings.FromCommandLine(nil, []string{
		"FLASHSALE_MYSQL_DSN=u:p@tcp(h:1)/d", "FLASHSALE_REDIS_TLS=true", "FLASHSALE_REDIS_TLS_CERT_FILE=" + own.Cert,
		"FLASHSALE_REDIS_TLS_KEY_FILE=" + own.Key,
	})
	require.NoError(t, err)
	s, err := source.Load("settle")
	require.NoError(t, err)
	want := fmt.Sprintf("# HELP flashsale_certificate_not_after_seconds When a certificate by which a store is reached ends, in "+
		"Unix seconds; of several in a file the first.\n# TYPE flashsale_certificate_not_after_seconds gauge\n"+
		"flashsale_certificate_not_after_seconds{kind=\"client\",store=\"redis\"} %d\n", until.Unix())
	require.NoError(t, testutil.CollectAndCompare(newCertificateEnds(s.Certificates()), strings.NewReader(want)))
	require.Zero(t, testutil.CollectAndCount(newCertificateEnds(nil)))
}
