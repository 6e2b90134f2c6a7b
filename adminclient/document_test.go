package adminclient

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

func TestReadDocumentTurnsYAMLIntoJSON(t *testing.T) {
	for name, test := range map[string]struct{ in, want string }{
		"JSON as it is": {" {\"b\": 1, \"a\": 1.50}\n", " {\"b\": 1, \"a\": 1.50}\n"},
		"order is kept": {"b: 1\na: 2\n", `{"b":1,"a":2}`},
		"times stay text": {
			"starts_at: 2026-11-11T10:00:00Z\nday: 2026-11-11\n",
			`{"starts_at":"2026-11-11T10:00:00Z","day":"2026-11-11"}`,
		},
		"numbers stay": {
			"a: 129900\nb: 1.50\nc: 1e3\nd: -0\ne: 99999999999999999999",
			`{"a":129900,"b":1.50,"c":1e3,"d":-0,"e":99999999999999999999}`,
		},
		"other numbers":     {"a: 0x10\nb: 1_000\nc: 0o17\nd: +7\ne: .5", `{"a":16,"b":1000,"c":15,"d":7,"e":0.5}`},
		"quoted stays text": {`a: "1"` + "\nb: 'null'\n", `{"a":"1","b":"null"}`},
		"null and bool":     {"a: null\nb: ~\nc:\nd: true\ne: False\n", `{"a":null,"b":null,"c":null,"d":true,"e":false}`},
		"unknown stays":     {"colour: red\n", `{"colour":"red"}`},
		"doubled stays":     {"a: 1\na: 2\n", `{"a":1,"a":2}`},
		"lists": {
			"items:\n- sku: a\n  stock: 1\n- {sku: b}\nnone: []\n",
			`{"items":[{"sku":"a","stock":1},{"sku":"b"}],"none":[]}`,
		},
		"alias":                {"a: &x {n: 1}\nb: *x\n", `{"a":{"n":1},"b":{"n":1}}`},
		"merge is a member":    {"a: &x {n: 1}\nb:\n  <<: *x\n", `{"a":{"n":1},"b":{"<<":{"n":1}}}`},
		"numbers as names":     {"1: a\ntrue: b\n", `{"1":"a","true":"b"}`},
		"characters":           {"name: <Ünï> & \"co\"\n", `{"name":"<Ünï> & \"co\""}`},
		"a scalar":             {"hello\n", `"hello"`},
		"comments":             {"# sale\na: 1 # one\n", `{"a":1}`},
		"JSON with a trailing": {`{"a": 1,}`, `{"a":1}`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ReadDocument(strings.NewReader(test.in))
			require.NoError(t, err)
			require.Equal(t, test.want, string(got))
		})
	}
}

func TestReadDocumentRefuses(t *testing.T) {
	bomb := "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for i := range 9 {
		ref := strings.Repeat("*"+string(rune('a'+i))+",", 9)
		bomb += string(rune('b'+i)) + ": &" + string(rune('b'+i)) + " [" + ref + "x]\n"
	}
	for name, in := range map[string]string{
		"nothing":            "",
		"no YAML":            "a: [1\n",
		"a tab":              "a:\n\tb: 1\n",
		"two documents":      "a: 1\n---\nb: 2\n",
		"names that are no":  "[a]: 1\n",
		"no JSON number":     "a: .nan\n",
		"infinite":           "a: .inf\n",
		"aliases of aliases": bomb,
		"deep":               strings.Repeat("[", 200) + strings.Repeat("]", 199) + " ,]",
		"too large":          strings.Repeat(" ", sale.MaxDocumentBytes) + "{}",
		"alias of itself":    "a: &a [*a]\n",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ReadDocument(strings.NewReader(in))
			require.Error(t, err)
		})
	}
	_, err := ReadDocument(broken{})
	require.ErrorIs(t, err, ErrUnreadable)
	for _, empty := range []string{"", " \n", "# nothing but words\n"} {
		_, err = ReadDocument(strings.NewReader(empty))
		require.EqualError(t, err, "the document is empty", "%q", empty)
	}
}

func TestOpenInput(t *testing.T) {
	name := filepath.Join(t.TempDir(), "sale.yaml")
	require.NoError(t, os.WriteFile(name, []byte("from a file"), 0o600))
	for from, want := range map[string]string{name: "from a file", "-": "from stdin"} {
		in, err := OpenInput(from, strings.NewReader("from stdin"))
		require.NoError(t, err)
		text, err := io.ReadAll(in)
		require.NoError(t, err)
		require.Equal(t, want, string(text))
		require.NoError(t, in.Close())
	}
	_, err := OpenInput(name+".missing", nil)
	require.ErrorIs(t, err, ErrUnreadable)
	require.ErrorContains(t, err, ".missing")
	require.Equal(t, 2, ExitCode(err))
}
