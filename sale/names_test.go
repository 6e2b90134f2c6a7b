package sale

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestValidID(t *testing.T) {
	for _, id := range []string{"a", "0", "A", "phonE", "a.b", "X..", "phone", "double-11_cn", strings.Repeat("a", 64)} {
		assert.True(t, ValidID(id), id)
	}
	for _, id := range []string{"", "_a", "-a", ".a", "a b", "a+b", "a/b", "a,b", "a:b", "{a}", "a\x00", "ä", "a\n",
		strings.Repeat("a", 65)} {
		assert.False(t, ValidID(id), "%q", id)
	}
}

func TestValidBuyerID(t *testing.T) {
	for _, id := range []string{"a", "-", "A.b_c:d@e|f+g-9", strings.Repeat("Z", 64)} {
		assert.True(t, ValidBuyerID(id), id)
	}
	for _, id := range []string{"", "a b", "a/b", `a"b`, `a\b`, "a{b}", "a\x00", "ä", "a,b", "a\n", "a=b",
		strings.Repeat("Z", 65)} {
		assert.False(t, ValidBuyerID(id), "%q", id)
	}
}

func TestValidKey(t *testing.T) {
	for _, key := range []string{"k", " k", "a b c", "a  b", "~!@#$%^&*()'", strings.Repeat("k", 128)} {
		assert.True(t, ValidKey(key), key)
	}
	for _, key := range []string{"", " ", "   ", "k ", "a b  ", `a"b`, `a\b`, "a\tb", "a\nb", "a\x00", "a\x7f", "ä",
		strings.Repeat("k", 129)} {
		assert.False(t, ValidKey(key), "%q", key)
	}
}

// The three validators match the patterns of the documentation, for strings and bytes.
func FuzzNames(f *testing.F) {
	for _, seed := range []string{"", "a", "-a", "A.b", "key one", "key ", `quote"`, "nul\x00", "ä", strings.Repeat("a", 64),
		strings.Repeat("a", 65), strings.Repeat("k", 129)} {
		f.Add(seed)
	}
	id := regexp.MustCompile(`\A` + FormOfID + `\z`)
	buyer := regexp.MustCompile(`\A[A-Za-z0-9._:@|+-]{1,64}\z`)
	key := regexp.MustCompile(`\A[ !#-\[\]-~]{0,127}[!#-\[\]-~]\z`)
	f.Fuzz(func(t *testing.T, text string) {
		require.Equal(t, id.MatchString(text), ValidID(text))
		require.Equal(t, buyer.MatchString(text), ValidBuyerID(text))
		require.Equal(t, key.MatchString(text) && utf8.ValidString(text), ValidKey(text))
		require.Equal(t, ValidID(text), ValidID([]byte(text)))
		require.Equal(t, ValidBuyerID(text), ValidBuyerID([]byte(text)))
		require.Equal(t, ValidKey(text), ValidKey([]byte(text)))
	})
}

// The record format and the buyers hash rely on this: a name contains none of their separators.
func TestNamesHoldNoSeparators(t *testing.T) {
	for c := range 256 {
		text := "a" + string([]byte{byte(c)})
		if ValidID(text) {
			assert.NotContains(t, " :,/{}\"\n", text[1:])
		}
		if ValidBuyerID(text) {
			assert.NotContains(t, " \"\n{}", text[1:])
		}
		if ValidKey(text) {
			assert.NotContains(t, "\"\\\n", text[1:])
		}
	}
}
