package bugs

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// chooser is the file that the overlay adds to the package faults.
const chooser = `package faults

import "os"

var seededBug = os.Getenv("FLASHSALE_BUG")

// Bug reports whether this process runs with the seeded bug of this name.
func Bug(name string) bool { return name == seededBug }
`

// Overlay writes the files of the module at root that the bugs change into the folder dir, as they are with the bugs, and
// returns what go calls the replacements of an overlay: for each file of the module the one that is compiled in its place.
// Some of them are in the overlay alone. A program that is compiled with them has the bug that FLASHSALE_BUG names.
func Overlay(root, dir string, all []Bug) (map[string]string, error) {
	changed, err := seed(root, all)
	if err != nil {
		return nil, fmt.Errorf("seed the bugs: %w", err)
	}
	changed["faults/bug.go"] = chooser
	replace := map[string]string{}
	for file, text := range changed {
		path := filepath.Join(dir, filepath.FromSlash(file))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return nil, err
		}
		replace[filepath.Join(root, filepath.FromSlash(file))] = path
	}
	return replace, nil
}

// OverlayFile is Overlay for the flag -overlay of go: it returns the path of the file that lists the replacements.
func OverlayFile(root, dir string, all []Bug) (string, error) {
	replace, err := Overlay(root, dir, all)
	if err != nil {
		return "", err
	}
	index, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "overlay.json")
	return path, os.WriteFile(path, index, 0o644)
}
