package console

import (
	"encoding/json"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// filesOf returns the embedded files with an ending, by name.
func filesOf(ending string) map[string]string {
	found := map[string]string{}
	for name, one := range newSite("index.html").files {
		if path.Ext(name) == ending {
			found[name] = string(one.body)
		}
	}
	return found
}

func wordsOf(t *testing.T, name string) map[string]string {
	t.Helper()
	var words map[string]string
	require.NoError(t, json.Unmarshal([]byte(filesOf(".json")["locales/"+name+".json"]), &words), name)
	return words
}

var placeholder = regexp.MustCompile(`\{\w+\}`)

// TestLanguagesHaveTheSameWords: every key is in both languages, with the same values to fill in.
func TestLanguagesHaveTheSameWords(t *testing.T) {
	for _, page := range []string{"", "shop-"} {
		en, zh := wordsOf(t, page+"en"), wordsOf(t, page+"zh")
		require.Greater(t, len(en), 20)
		require.ElementsMatch(t, slices.Collect(maps.Keys(en)), slices.Collect(maps.Keys(zh)))
		for key, words := range en {
			ours, theirs := placeholder.FindAllString(words, -1), placeholder.FindAllString(zh[key], -1)
			assert.ElementsMatch(t, ours, theirs, key)
			assert.NotEmpty(t, strings.TrimSpace(zh[key]), key)
		}
	}
}

var (
	literalKey = regexp.MustCompile(`\bt\('([a-z_.-]+)'`)
	choiceKey  = regexp.MustCompile(`\bt\([^')]*\? '([a-z_.-]+)' : '([a-z_.-]+)'`)
	prefixKey  = regexp.MustCompile("`([a-z]+\\.(?:[a-z]+\\.)*)\\$\\{")
)

// TestWordsAreUsedAndKnown: a key that a page asks for has words, and words that no page asks for are removed.
func TestWordsAreUsedAndKnown(t *testing.T) {
	scripts := filesOf(".js")
	shop := scripts["shop.js"]
	delete(scripts, "shop.js")
	both := scripts["format.js"] + scripts["switches.js"] + scripts["language.js"]
	all := strings.Join(slices.Collect(maps.Values(scripts)), "\n")
	for name, sources := range map[string]string{"en": all, "shop-en": shop + both} {
		words, used := wordsOf(t, name), map[string]bool{}
		for _, pattern := range []*regexp.Regexp{literalKey, choiceKey} {
			for _, found := range pattern.FindAllStringSubmatch(sources, -1) {
				for _, key := range found[1:] {
					assert.Contains(t, words, key, name)
					used[key] = true
				}
			}
		}
		for key := range words {
			dynamic := slices.ContainsFunc(prefixKey.FindAllStringSubmatch(sources, -1), func(found []string) bool {
				return strings.HasPrefix(key, found[1])
			})
			assert.True(t, used[key] || dynamic || strings.Contains(sources, "'"+key+"'"), "%s: nobody asks for %s", name, key)
		}
	}
}

// TestDataIsNeverMarkup: no script writes markup, and no page has a script, a style or a handler of its own: the policy would
// refuse them.
func TestDataIsNeverMarkup(t *testing.T) {
	for name, text := range filesOf(".js") {
		for _, never := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function",
			"setAttribute('style'", "http://www", "https://"} {
			if never == "http://www" {
				text = strings.ReplaceAll(text, "http://www.w3.org/2000/svg", "")
			}
			assert.NotContains(t, text, never, name)
		}
	}
	for name, text := range filesOf(".html") {
		assert.NotRegexp(t, `<style|\sstyle=|\son[a-z]+=|<script>|//[a-z]`, text, name)
	}
	for name, text := range filesOf(".css") {
		assert.NotRegexp(t, `url\(|@import`, text, name)
	}
}

var (
	imported   = regexp.MustCompile(`from '\./([a-z]+\.js)'`)
	referenced = regexp.MustCompile(`(?:href|src)="/console/([a-z./]+)"`)
)

// TestEveryFileIsReached: what a module imports and a page names is there, and every file is needed by one of the pages.
func TestEveryFileIsReached(t *testing.T) {
	files := newSite("index.html").files
	reached := map[string]bool{"index.html": true, "shop.html": true}
	for name, one := range files {
		for _, pattern := range []*regexp.Regexp{imported, referenced} {
			for _, found := range pattern.FindAllStringSubmatch(string(one.body), -1) {
				assert.Contains(t, files, found[1], name)
				reached[found[1]] = true
			}
		}
	}
	for name := range files {
		assert.True(t, reached[name] || strings.HasPrefix(name, "locales/"), "nothing needs %s", name)
	}
}
