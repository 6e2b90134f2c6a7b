package settings

import (
	"testing"

	"github.com/knadh/koanf/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestNeededByCountsWholeWords(t *testing.T) {
	s := Setting{Name: "x.y", Needed: []string{"load verdict", "sale"}}
	for command, needed := range map[string]bool{
		"sale": true, "sale open": true, "sales": false, "load verdict": true, "load": false, "load rush": false, "": false,
	} {
		assert.Equal(t, needed, s.NeededBy(command), command)
	}
}

func TestSecretsThatAreNotSetPrintNothing(t *testing.T) {
	var none Secret
	assert.Empty(t, none.String())
	assert.Empty(t, none.LogValue().String())
	text, err := none.MarshalText()
	require.NoError(t, err)
	assert.Empty(t, text)
	assert.Equal(t, hidden, Secret("s").String())
	assert.Equal(t, "s", Secret("s").Reveal())
}

func TestFaults(t *testing.T) {
	none := &Faults{}
	assert.NoError(t, none.orNil())
	none.addf("%s: is %d", "a.b", 5)
	require.Error(t, none.orNil())
	assert.Equal(t, []string{"a.b: is 5"}, none.Lines)
	assert.True(t, none.name("a.b"))
	assert.False(t, none.name("a"))
	assert.False(t, none.name("a.bc"))
}

func TestALayerIsAProvider(t *testing.T) {
	ix, faults := newIndex(), &Faults{}
	l := newLayer()
	l.put(ix, "kafka.brokers", "a:1", "here", faults)
	l.put(ix, "admin.token_file", "/x", "there", faults)
	require.NoError(t, faults.orNil())
	k := koanf.New(".")
	require.NoError(t, k.Load(l, nil))
	assert.Equal(t, "a:1", k.Get("kafka.brokers"))
	assert.Equal(t, filePath("/x"), k.Get("admin.token"), "a companion takes the place of its secret")
	_, err := l.ReadBytes()
	assert.Error(t, err)

	l.put(ix, "admin.token", "t", "elsewhere", faults)
	assert.Equal(t, []string{"admin.token: given twice, by there and by elsewhere"}, faults.Lines)
}

func TestCompanionsBelongToSecrets(t *testing.T) {
	ix := newIndex()
	for name, want := range map[string]string{"admin.token_file": "admin.token", "mysql.dsn_file": "mysql.dsn"} {
		secret, companion := ix.secretOf(name)
		assert.True(t, companion, name)
		assert.Equal(t, want, secret)
	}
	for _, name := range []string{"admin.token", "namespace_file", "kafka.brokers_file", "_file", ""} {
		_, companion := ix.secretOf(name)
		assert.False(t, companion, name)
	}
}
