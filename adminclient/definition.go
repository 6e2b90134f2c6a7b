package adminclient

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"

	"flashsale/sale"
)

// DefinitionYAML turns a sale from the API's answer into the YAML that PUT accepts: the members of its definition,
// without its state.
func DefinitionYAML(answer []byte) ([]byte, error) {
	decoder := json.NewDecoder(bytes.NewReader(answer))
	decoder.UseNumber()
	root, err := yamlOf(decoder)
	if err != nil {
		return nil, fmt.Errorf("read the sale: %w", err)
	}
	if root.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("the answer is not a sale: %.100q", answer)
	}
	members := membersOf(reflect.TypeFor[sale.Sale]())
	delete(members, "sale")
	delete(members, "state")
	delete(members, "holds_frozen_since")
	keepMembers(root, members)
	for i := 0; i < len(root.Content); i += 2 {
		if root.Content[i].Value == "items" {
			for _, item := range root.Content[i+1].Content {
				keepMembers(item, membersOf(reflect.TypeFor[sale.Item]()))
			}
		}
	}
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(root); err != nil {
		return nil, fmt.Errorf("write the sale as YAML: %w", err)
	}
	return out.Bytes(), encoder.Close()
}

// yamlOf reads one JSON value. Most JSON is YAML, but a YAML reader refuses control characters that JSON allows, and a
// map would lose the order of the members.
func yamlOf(decoder *json.Decoder) (*yaml.Node, error) {
	token, err := decoder.Token()
	if err != nil {
		return nil, err
	}
	node := &yaml.Node{Kind: yaml.ScalarNode}
	switch value := token.(type) {
	case json.Delim:
		node.Kind = yaml.SequenceNode
		if value == '{' {
			node.Kind = yaml.MappingNode
		}
		for decoder.More() {
			child, err := yamlOf(decoder)
			if err != nil {
				return nil, err
			}
			node.Content = append(node.Content, child)
		}
		_, err = decoder.Token() // the closing brace
		return node, err
	case string:
		node.Tag, node.Value = "!!str", value // the encoder quotes a text that would be read as another type
		if strings.ContainsFunc(value, unicode.IsControl) {
			node.Style = yaml.DoubleQuotedStyle // in a block scalar some of them cannot be read back
		}
	case json.Number:
		node.Value = value.String()
	default: // true, false, null
		return node, node.Encode(value)
	}
	return node, nil
}

// membersOf returns the JSON names of a type's members, so that a new member is included without a change here.
func membersOf(noun reflect.Type) map[string]bool {
	names := map[string]bool{}
	for i := range noun.NumField() {
		name, _, _ := strings.Cut(noun.Field(i).Tag.Get("json"), ",")
		names[name] = true
	}
	return names
}

func keepMembers(mapping *yaml.Node, names map[string]bool) {
	var kept []*yaml.Node
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if names[mapping.Content[i].Value] {
			kept = append(kept, mapping.Content[i], mapping.Content[i+1])
		}
	}
	mapping.Content = kept
}
