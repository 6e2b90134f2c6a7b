package tidy

import (
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// word is something that must not be read anywhere in the project.
type word struct {
	pattern *regexp.Regexp
	reason  string
}

var words = []word{
	{regexp.MustCompile(`\b(TODO|FIXME|XXX|HACK)\b`), "unfinished work has no place in the tree"},
	{regexp.MustCompile(`(?i)\bnot (yet )?implemented\b`), "what is not there is not mentioned"},
	{regexp.MustCompile(`(?i)\bstub(s|bed)?\b`), "there is nothing here that only pretends"},
	{regexp.MustCompile(`(?:^|[\s"'=(:\x60])(/work/|/root/|/home/[a-z])`), "a path of one machine"},
	{regexp.MustCompile(`(?i)\bissue #?[0-9]`), "the tree explains itself, without the order in which it was made"},
	{regexp.MustCompile(`(?i)\b(sittings?|milestones?)\b`), "the tree explains itself, without the order in which it was made"},
	{regexp.MustCompile(`\b(shared/)?(contract|design|protocol|services|libraries|style|plan)\.md\b`),
		"names a document that is not in the tree"},
	{regexp.MustCompile(`(?i)\b(proxy\.golang\.org|sum\.golang\.org|repo\.maven\.apache\.org|deb\.debian\.org)\b`),
		"package registries are the choice of the machine"},
	{regexp.MustCompile(`(?i)\b(seckill|campaigns?|goods|pre-?orders?|real_stock|locked_stock|reconcile)\b`),
		"the vocabulary has another word for it"},
}

// generated files repeat what others wrote.
var generated = map[string]bool{"go.sum": true, "go.mod": true}

// wordFindings finds the words that are never allowed, and the replaced ones.
func wordFindings(tree fs.FS) ([]finding, error) {
	return findWords(tree, slices.Concat(words, oldWords))
}

// findWords reads every text file of the tree but this package, which has to name the words.
func findWords(tree fs.FS, forbidden []word) ([]finding, error) {
	names, err := files(tree)
	if err != nil {
		return nil, err
	}
	var found []finding
	for _, name := range names {
		if generated[path.Base(name)] || strings.HasPrefix(name, "test/tidy/") {
			continue
		}
		text, err := fs.ReadFile(tree, name)
		if err != nil {
			return nil, err
		}
		found = append(found, wordFaults(name, string(text), forbidden)...)
	}
	return found, nil
}

func wordFaults(name, text string, forbidden []word) []finding {
	var found []finding
	number := 0
	for line := range strings.Lines(text) {
		number++
		for _, w := range forbidden {
			if hit := w.pattern.FindString(line); hit != "" {
				found = append(found, finding{place(name, number), strings.TrimSpace(hit) + ": " + w.reason})
			}
		}
	}
	return found
}
