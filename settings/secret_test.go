package settings

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSecretsFromFiles(t *testing.T) {
	secret := write(t, "secret", testSecret+"\n")
	other := write(t, "other", strings.Repeat("o", 40)+"\r\n")
	environ := []string{"FLASHSALE_AUTH_HS256_SECRET_FILE=" + secret}
	s := mustLoad(t, "config", nil, environ)
	assert.Equal(t, testSecret, s.Auth.HS256Secret.Reveal(), "the newline at the end is not part of it")

	s = mustLoad(t, "config", []string{"--auth-hs256-secret-file", other}, environ)
	assert.Equal(t, strings.Repeat("o", 40), s.Auth.HS256Secret.Reveal(),
		"a file named by a flag wins over one named by the environment")
	s = mustLoad(t, "config", []string{"--auth-hs256-secret", strings.Repeat("v", 40)}, environ)
	assert.Equal(t, strings.Repeat("v", 40), s.Auth.HS256Secret.Reveal(), "a value of a stronger source wins over a file")
	config := write(t, "c.yaml", "auth:\n  hs256_secret: "+strings.Repeat("y", 40)+"\n  hs256_previous_secret_file: "+other+"\n")
	s = mustLoad(t, "config", []string{"--config", config}, environ)
	assert.Equal(t, testSecret, s.Auth.HS256Secret.Reveal(), "a file of a stronger source wins over a value")
	assert.Equal(t, strings.Repeat("o", 40), s.Auth.HS256PreviousSecret.Reveal())

	faults := faultsOf(t, "config", nil, append(environ, "FLASHSALE_AUTH_HS256_SECRET="+testSecret))
	assert.Contains(t, faults[0], "given twice")
	for _, path := range []string{"/nowhere/secret", write(t, "empty", "\n"),
		write(t, "large", strings.Repeat("x", maxSecretBytes+1)), t.TempDir()} {
		faults = faultsOf(t, "config", nil, []string{"FLASHSALE_ADMIN_TOKEN_FILE=" + path})
		assert.True(t, strings.HasPrefix(faults[0], "admin.token: "), faults[0])
	}
	assert.NotContains(t, newIndex().byEnv, "FLASHSALE_NAMESPACE_FILE", "only secrets have a companion")
}

func TestSecretsNeverPrint(t *testing.T) {
	const secret = "SECRET-SECRET-SECRET-SECRET-SECRET-SECRET"
	var environ []string
	for i, setting := range All() {
		if setting.Secret() {
			form := "%s=%s@tcp(h:1)/%d" // also a valid DSN
			if setting.Name == "admin.tokens" {
				form = "%s=night:viewer:%s@tcp(h:1)/%d"
			}
			environ = append(environ, fmt.Sprintf(form, setting.Env(), secret, i))
		}
	}
	s := mustLoad(t, "config", []string{"--kafka-sasl-mechanism=PLAIN", "--kafka-sasl-username=u",
		"--redis-sentinel-master=stock"}, environ)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		assert.NotContains(t, fmt.Sprintf(verb, s), secret)
		assert.NotContains(t, fmt.Sprintf(verb, *s), secret)
	}
	text, err := json.Marshal(s)
	require.NoError(t, err)
	assert.NotContains(t, string(text), secret)
	assert.Equal(t, hidden, s.Admin.Token.LogValue().String())
	for _, value := range s.Values() {
		assert.NotContains(t, value.Text+value.Origin, secret)
		if value.Setting.Secret() {
			assert.Equal(t, hidden, value.Text, value.Setting.Name)
		}
	}

	for i, entry := range environ {
		environ[i] = strings.ReplaceAll(entry, secret, "sEcReT") // too short, and not a DSN
	}
	environ = append(environ, "FLASHSALE_MYSQL_DSN=sEcReT:pw")
	for _, fault := range faultsOf(t, "gateway", nil, environ) {
		assert.NotContains(t, fault, "sEcReT")
	}
}
