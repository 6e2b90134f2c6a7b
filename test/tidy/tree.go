package tidy

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// finding is one breach of a rule: where, and what is wrong.
type finding struct {
	place string
	fault string
}

func (f finding) String() string { return f.place + ": " + f.fault }

// source is one Go file of the tree.
type source struct {
	name   string // path inside the tree
	text   string
	syntax *ast.File
	set    *token.FileSet
}

// isTest reports whether the file serves tests only: test files, and the packages under test/.
func (s *source) isTest() bool {
	return strings.HasSuffix(s.name, "_test.go") || strings.HasPrefix(s.name, "test/")
}

// room returns the first element of the path, "" for files in the root.
func (s *source) room() string {
	room, _, below := strings.Cut(s.name, "/")
	if !below {
		return ""
	}
	return room
}

// at returns the place of a node, as file:line.
func (s *source) at(pos token.Pos) string { return fmt.Sprintf("%s:%d", s.name, s.line(pos)) }

func (s *source) line(pos token.Pos) int { return s.set.Position(pos).Line }

// Folders that hold no text of the project.
var outside = []string{".git", "bin", "dist", ".cache", "node_modules"}

// textKinds are the endings of files that people read and the rules look at.
var textKinds = []string{".go", ".lua", ".js", ".md", ".sql", ".yaml", ".yml", ".conf", ".sh", ""}

// files returns the paths of all text files of the tree, in order.
func files(tree fs.FS) ([]string, error) {
	var names []string
	err := fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && slices.Contains(outside, name):
			return fs.SkipDir
		case entry.Type().IsRegular() && slices.Contains(textKinds, path.Ext(name)) && !inCorpus(name):
			names = append(names, name)
		}
		return nil
	})
	return names, err
}

// inCorpus reports whether the file is input of a fuzz target, which may be anything.
func inCorpus(name string) bool { return strings.Contains(name, "testdata/") }

// sources parses every Go file of the tree.
func sources(tree fs.FS) ([]*source, error) {
	names, err := files(tree)
	if err != nil {
		return nil, err
	}
	var parsed []*source
	for _, name := range names {
		if path.Ext(name) != ".go" {
			continue
		}
		text, err := fs.ReadFile(tree, name)
		if err != nil {
			return nil, err
		}
		set := token.NewFileSet()
		syntax, err := parser.ParseFile(set, name, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		parsed = append(parsed, &source{name: name, text: string(text), syntax: syntax, set: set})
	}
	return parsed, nil
}
