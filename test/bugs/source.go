package bugs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

var (
	inCode    = regexp.MustCompile(`faults\.Bug\("([a-z0-9-]+)"\)`)
	inScripts = regexp.MustCompile(`(?m)^\t"([a-z0-9-]+)": \{`)
)

// Seeded reads the names of all bugs from the source below a folder: where the code asks for them, and the table of the
// scripts' bugs.
func Seeded(root string) ([]string, error) {
	var names []string
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return err
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		pattern := inCode
		if filepath.ToSlash(name) == filepath.ToSlash(filepath.Join(root, "scripts/bugs.go")) {
			pattern = inScripts
		}
		for _, hit := range pattern.FindAllSubmatch(text, -1) {
			names = append(names, string(hit[1]))
		}
		return nil
	})
	slices.Sort(names)
	return slices.Compact(names), err
}
