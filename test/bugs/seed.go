package bugs

import (
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Packages that the New text of a replacement may name without the file importing them.
var importable = map[string]string{
	"context": "context", "fmt": "fmt", "math": "math", "slices": "slices", "strconv": "strconv",
	"sql": "database/sql", "strings": "strings",
	"rueidis": "github.com/redis/rueidis", "faults": "flashsale/faults", "sale": "flashsale/sale", "scripts": "flashsale/scripts",
}

// qualified finds the packages that a piece of Go names: an identifier before a dot that does not itself follow a dot.
var qualified = regexp.MustCompile(`(?:^|[^.\w])([a-z]+)\.[A-Z]`)

// seeding is the tree with the replacements so far.
type seeding struct {
	root    string
	found   map[string]string          // files as they are in the tree
	changed map[string]string          // Go files as they are with the replacements so far
	named   map[string]map[string]bool // packages that the replacements in a file name
}

// seed makes the replacements of all bugs and returns the Go files that they change, by name, as they are with the bugs.
// The text of a script stays, because scripts.go changes it when the process starts: the files that do so are among those
// returned. The error names every replacement whose Old is not in its file exactly once, with its bug.
func seed(root string, all []Bug) (map[string]string, error) {
	s := &seeding{root, map[string]string{}, map[string]string{}, map[string]map[string]bool{}}
	var faults []error
	inScripts := false
	for _, b := range all {
		script := map[string]string{} // with the replacements of this bug alone
		for _, r := range b.Seeds {
			texts := s.changed
			if path.Ext(r.File) == ".lua" {
				texts, inScripts = script, true
			}
			if err := s.replace(texts, r); err != nil {
				faults = append(faults, fmt.Errorf("the bug %s: %w", b.Name, err))
			}
		}
	}
	if inScripts {
		if err := s.replace(s.changed, scriptsHook); err != nil {
			faults = append(faults, fmt.Errorf("the hook of the bugs in scripts: %w", err))
		}
		s.changed[scriptsChanges] = scriptsSource(all)
	}
	faults = append(faults, s.complete()...)
	return s.changed, errors.Join(faults...)
}

// replace makes one replacement.
func (s *seeding) replace(texts map[string]string, r Replacement) error {
	tree, err := s.read(r.File)
	if err != nil {
		return fmt.Errorf("the file with the text to replace: %w: %q%s", err, r.Old, s.elsewhere(r))
	}
	text, changed := texts[r.File]
	if !changed {
		text = tree
	}
	for _, among := range []struct{ text, where string }{{tree, ""}, {text, ", with the replacements before it,"}} {
		if n := strings.Count(among.text, r.Old); r.Old == "" || n != 1 {
			return fmt.Errorf("%s%s has the text to replace %d times, not once: %q%s",
				r.File, among.where, n, r.Old, s.elsewhere(r))
		}
	}
	texts[r.File] = strings.Replace(text, r.Old, r.New, 1)
	if s.named[r.File] == nil {
		s.named[r.File] = map[string]bool{}
	}
	for _, hit := range qualified.FindAllStringSubmatch(r.New, -1) {
		s.named[r.File][hit[1]] = true
	}
	return nil
}

// elsewhere names the other files of the product that have the old text exactly once: the code may have moved there.
func (s *seeding) elsewhere(r Replacement) string {
	product, err := productFiles(os.DirFS(s.root))
	if err != nil || r.Old == "" {
		return ""
	}
	var there []string
	for _, file := range product {
		if file == r.File || path.Ext(file) != path.Ext(r.File) {
			continue
		}
		if text, err := s.read(file); err == nil && strings.Count(text, r.Old) == 1 {
			there = append(there, file)
		}
	}
	if len(there) == 0 {
		return ""
	}
	return ", which is once in " + strings.Join(there, ", ")
}

func (s *seeding) read(file string) (string, error) {
	if text, read := s.found[file]; read {
		return text, nil
	}
	text, err := os.ReadFile(filepath.Join(s.root, filepath.FromSlash(file)))
	if err != nil {
		return "", err
	}
	s.found[file] = string(text)
	return string(text), nil
}

// complete gives each changed file the imports that its replacements need.
func (s *seeding) complete() []error {
	var faults []error
	for file, text := range s.changed {
		with, err := withImports(file, text, s.named[file])
		if err != nil {
			faults = append(faults, fmt.Errorf("%s with its replacements: %w", file, err))
		}
		s.changed[file] = with
	}
	slices.SortFunc(faults, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return faults
}

// withImports imports the named packages that a file does not import. They go on the line of the package clause, so that
// every other line keeps its number.
func withImports(file, text string, named map[string]bool) (string, error) {
	set := token.NewFileSet()
	syntax, err := parser.ParseFile(set, file, text, parser.SkipObjectResolution)
	if err != nil {
		return text, err
	}
	imported := map[string]bool{}
	for _, spec := range syntax.Imports {
		imported[strings.Trim(spec.Path.Value, `"`)] = true
	}
	clause := set.Position(syntax.Name.End()).Offset
	var more strings.Builder
	for _, name := range slices.Sorted(maps.Keys(importable)) { // in order, so that a compiled package is found again
		if where := importable[name]; named[name] && !imported[where] {
			fmt.Fprintf(&more, "; import %q", where)
		}
	}
	return text[:clause] + more.String() + text[clause:], nil
}
