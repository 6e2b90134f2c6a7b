package settings

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Bounds of the files that are read.
const (
	maxConfigBytes = 1 << 20
	maxSecretBytes = 64 << 10
)

// fileLayer reads the YAML file at path; an empty path is an empty layer.
func fileLayer(ix index, path string, faults *Faults) layer {
	l := newLayer()
	if path == "" {
		return l
	}
	root, err := readYAML(path)
	if err != nil {
		faults.addf("%v", err)
		return l
	}
	r := fileReader{path: path, ix: ix, layer: l, faults: faults}
	if root != nil {
		r.mapping("", root)
	}
	return l
}

// readYAML returns the root of the file's only document, nil when the file is empty.
func readYAML(path string) (*yaml.Node, error) {
	text, err := readBounded(path, maxConfigBytes)
	if err != nil {
		return nil, fmt.Errorf("configuration file: %w", err)
	}
	decoder := yaml.NewDecoder(strings.NewReader(text))
	var document, second yaml.Node
	if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("configuration file %s: %w", path, err)
	}
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("configuration file %s: more than one document", path)
	}
	return document.Content[0], nil
}

func readBounded(path string, limit int64) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close() // opened to read: closing loses nothing
	text, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err != nil {
		return "", err
	}
	if int64(len(text)) > limit {
		return "", fmt.Errorf("%s is larger than %d bytes", path, limit)
	}
	return string(text), nil
}

// fileReader walks the nodes of the file. It takes a scalar as text, unconverted, so that 012 stays 012 and a number may be
// a password.
type fileReader struct {
	path   string
	ix     index
	layer  layer
	faults *Faults
}

func (r fileReader) faultf(node *yaml.Node, format string, args ...any) {
	r.faults.addf("%s line %d: %s", r.path, node.Line, fmt.Sprintf(format, args...))
}

// mapping reads a mapping of sections (prefix empty) or of one section's members.
func (r fileReader) mapping(prefix string, node *yaml.Node) {
	if isNull(node) {
		return // a section with all its members commented out
	}
	if node.Kind != yaml.MappingNode {
		r.faultf(node, "%s must hold members, not a value", strings.TrimSuffix("the section "+prefix, "."))
		return
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if value.Kind == yaml.AliasNode {
			value = value.Alias
		}
		name := prefix + key.Value
		switch {
		case key.Kind != yaml.ScalarNode:
			r.faultf(key, "a key must be text")
		case r.ix.known(name):
			r.member(name, value)
		case prefix == "" && r.ix.section(name):
			r.mapping(name+".", value)
		default:
			r.faultf(key, "unknown key %s", name)
		}
	}
}

// member reads one value; a list becomes the comma-separated text that the other sources hold.
func (r fileReader) member(name string, node *yaml.Node) {
	text := node.Value
	switch {
	case isNull(node):
		return // a member with its value commented out
	case node.Kind == yaml.SequenceNode && r.isList(name):
		items := make([]string, len(node.Content))
		for i, item := range node.Content {
			if item.Kind != yaml.ScalarNode || strings.Contains(item.Value, ",") {
				r.faultf(item, "item %d of %s must be one value", i+1, name)
				return
			}
			items[i] = item.Value
		}
		text = strings.Join(items, ",")
	case node.Kind != yaml.ScalarNode:
		r.faultf(node, "%s must be one value, not a list or a section", name)
		return
	}
	r.layer.put(r.ix, name, text, fmt.Sprintf("file %s line %d", r.path, node.Line), r.faults)
}

func (r fileReader) isList(name string) bool {
	s, setting := r.ix.byName[name]
	return setting && (s.Type() == "list" || s.Type() == "networks")
}

func isNull(node *yaml.Node) bool { return node.Kind == yaml.ScalarNode && node.Tag == "!!null" }
