package settings

import (
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Deployments rely on these names, variables and defaults: a change needs an entry in the change log.
func TestTheListIsWhatIsPromised(t *testing.T) {
	promised := map[string]string{
		"FLASHSALE_GATEWAY_LISTEN": "127.0.0.1:8080", "FLASHSALE_ADMIN_LISTEN": "127.0.0.1:8081",
		"FLASHSALE_SETTLE_LISTEN": "127.0.0.1:8082",
		"FLASHSALE_ADMIN_URL":     "http://127.0.0.1:8081", "FLASHSALE_ADMIN_TOKEN": "", "FLASHSALE_SHOP_TOKEN": "",
		"FLASHSALE_AUTH_HS256_SECRET": "", "FLASHSALE_AUTH_HS256_PREVIOUS_SECRET": "", "FLASHSALE_AUTH_ISSUER": "",
		"FLASHSALE_AUTH_AUDIENCE":           "",
		"FLASHSALE_GATEWAY_TRUSTED_PROXIES": "", "FLASHSALE_NAMESPACE": "flashsale",
		"FLASHSALE_REDIS_ADDRS": "127.0.0.1:6379", "FLASHSALE_REDIS_USERNAME": "", "FLASHSALE_REDIS_PASSWORD": "",
		"FLASHSALE_REDIS_TLS":     "false",
		"FLASHSALE_KAFKA_BROKERS": "127.0.0.1:9092", "FLASHSALE_KAFKA_TLS": "false", "FLASHSALE_KAFKA_SASL_MECHANISM": "",
		"FLASHSALE_KAFKA_SASL_USERNAME": "", "FLASHSALE_KAFKA_SASL_PASSWORD": "", "FLASHSALE_KAFKA_PARTITIONS": "8",
		"FLASHSALE_KAFKA_REPLICATION": "1", "FLASHSALE_KAFKA_RETENTION": "0s",
		"FLASHSALE_GATEWAY_ACK_TIMEOUT": "1s", "FLASHSALE_RESERVE_JOURNAL_MAX_ORDERS": "100000", "FLASHSALE_MYSQL_DSN": "",
		"FLASHSALE_KAFKA_LINGER": "0s", "FLASHSALE_REDIS_CONNECTIONS": "2", "FLASHSALE_SETTLE_FETCH_MIN_BYTES": "131072",
		"FLASHSALE_SETTLE_FETCH_MAX_WAIT": "50ms", "FLASHSALE_AUTH_MAX_LIFETIME": "24h",
		"FLASHSALE_REDIS_SENTINEL_MASTER": "", "FLASHSALE_REDIS_TLS_CA_FILE": "", "FLASHSALE_REDIS_TLS_CERT_FILE": "",
		"FLASHSALE_REDIS_TLS_KEY_FILE": "", "FLASHSALE_REDIS_TLS_SERVER_NAME": "", "FLASHSALE_KAFKA_TLS_CA_FILE": "",
		"FLASHSALE_KAFKA_TLS_CERT_FILE": "", "FLASHSALE_KAFKA_TLS_KEY_FILE": "", "FLASHSALE_KAFKA_TLS_SERVER_NAME": "",
		"FLASHSALE_MYSQL_TLS_CA_FILE": "", "FLASHSALE_MYSQL_TLS_CERT_FILE": "", "FLASHSALE_MYSQL_TLS_KEY_FILE": "",
		"FLASHSALE_MYSQL_READ_DSN": "", "FLASHSALE_MYSQL_READ_MAX_LAG": "500ms",
	}
	found := map[string]string{}
	for _, s := range All() {
		found[s.Env()] = s.Default
	}
	for variable, standard := range promised {
		value, exists := found[variable]
		assert.True(t, exists, variable)
		assert.Equal(t, standard, value, variable)
	}
	secrets := map[string]bool{"admin.token": true, "admin.tokens": true, "shop.token": true, "auth.hs256_secret": true,
		"auth.hs256_previous_secret": true,
		"redis.password":             true, "kafka.sasl_password": true, "mysql.dsn": true, "mysql.read_dsn": true,
		"redis.sentinel_password": true}
	for _, s := range All() {
		assert.Equal(t, secrets[s.Name], s.Secret(), s.Name)
	}
}

func TestEveryRowIsComplete(t *testing.T) {
	name := regexp.MustCompile(`^[a-z]+(\.[a-z0-9]+(_[a-z0-9]+)*)?$`)
	seen := map[string]bool{}
	for _, s := range All() {
		assert.Regexp(t, name, s.Name)
		assert.False(t, seen[s.Name], "%s is in the list twice", s.Name)
		seen[s.Name] = true
		assert.True(t, strings.HasSuffix(s.Doc, ".") && len(s.Doc) < 140, "%s: %q", s.Name, s.Doc)
		assert.NotEmpty(t, s.Used, s.Name)
		assert.NotEmpty(t, s.Type())
		if s.Type() == "number" {
			assert.NotEmpty(t, s.Unit, s.Name)
			assert.NotEmpty(t, s.Range(), s.Name)
		}
		if s.Type() == "duration" {
			assert.NotEmpty(t, s.Range(), s.Name)
		}
		for _, command := range s.Needed {
			assert.Contains(t, s.Used, command, "%s is needed by %s", s.Name, command)
			assert.Empty(t, s.Default, "%s is needed and has a default", s.Name)
		}
		target := s.bind(new(Settings))
		require.NoError(t, parse(s.Default, target), s.Name)
		assert.Equal(t, s.Default, format(target), "the default of %s is spelled as it is printed", s.Name)
	}
}

// Each row fills a member of its own, and each member of Settings has a row.
func TestRowsAndMembersMatch(t *testing.T) {
	var settings Settings
	members := map[uintptr]bool{}
	for _, s := range All() {
		address := reflect.ValueOf(s.bind(&settings)).Pointer()
		kind := reflect.TypeOf(s.bind(&settings)).Elem()
		assert.False(t, members[address], "%s shares its member (%s)", s.Name, kind)
		members[address] = true
	}
	fields := 0
	value := reflect.ValueOf(settings)
	for i := range value.NumField() {
		switch field := value.Type().Field(i); {
		case !field.IsExported():
		case field.Type.Kind() == reflect.Struct:
			fields += leaves(field.Type)
		default:
			fields++
		}
	}
	assert.Equal(t, fields, len(members))
}

// leaves counts the members of a struct and of the structs in it.
func leaves(of reflect.Type) (n int) {
	for i := range of.NumField() {
		if member := of.Field(i).Type; member.Kind() == reflect.Struct {
			n += leaves(member)
		} else {
			n++
		}
	}
	return n
}

func TestSpellingsOfANameAreUnique(t *testing.T) {
	ix := newIndex()
	assert.Len(t, ix.byEnv, len(ix.byFlag))
	assert.Equal(t, "kafka.sasl_username", ix.byEnv["FLASHSALE_KAFKA_SASL_USERNAME"])
	assert.Equal(t, "kafka.sasl_username", ix.byFlag["kafka-sasl-username"])
	assert.Equal(t, "auth.hs256_secret_file", ix.byEnv["FLASHSALE_AUTH_HS256_SECRET_FILE"])
	assert.Equal(t, "namespace", ix.byEnv["FLASHSALE_NAMESPACE"])
	assert.True(t, ix.known("mysql.dsn_file"))
	assert.False(t, ix.known("mysql-dsn"))
	assert.False(t, ix.known("namespace_file"))
	assert.True(t, ix.section("auth"))
	assert.False(t, ix.section("namespace"))
	for name, s := range ix.byName {
		section, member, _ := strings.Cut(strings.TrimPrefix(s.Env(), envPrefix), "_")
		if member != "" {
			assert.Equal(t, name, strings.ToLower(section+"."+member), "the section ends at the first underscore")
		}
	}
}
