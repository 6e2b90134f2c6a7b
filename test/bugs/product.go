package bugs

import (
	"io/fs"
	"slices"
	"strings"
)

// productFiles returns the files that are compiled or embedded into the product.
func productFiles(tree fs.FS) ([]string, error) {
	var found []string
	err := fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && slices.Contains([]string{".git", "bin", "dist", ".cache", "docs", "findings", "test"}, name):
			return fs.SkipDir
		case entry.IsDir() && slices.Contains([]string{"node_modules", "testdata"}, entry.Name()):
			return fs.SkipDir
		case entry.Type().IsRegular() && !strings.HasSuffix(name, "_test.go"):
			found = append(found, name)
		}
		return nil
	})
	return found, err
}
