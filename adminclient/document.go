package adminclient

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"go.yaml.in/yaml/v3"

	"flashsale/sale"
)

// maxDocumentDepth bounds the nesting of a document that a command sends; the deepest real one has three levels.
const maxDocumentDepth = 64

// OpenInput opens the file that a command's -f names; "-" is stdin.
func OpenInput(name string, stdin io.Reader) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(stdin), nil
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	return file, nil
}

// ReadDocument reads a JSON or YAML document and returns it as JSON with every member as written. Unknown and repeated
// members are kept, so that the API refuses and names them.
func ReadDocument(in io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(in, sale.MaxDocumentBytes+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	if len(data) > sale.MaxDocumentBytes {
		return nil, fmt.Errorf("the document is larger than %d bytes", sale.MaxDocumentBytes)
	}
	if json.Valid(data) {
		return data, nil
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var root, second yaml.Node
	switch err := decoder.Decode(&root); {
	case errors.Is(err, io.EOF):
		return nil, errors.New("the document is empty")
	case err != nil:
		return nil, fmt.Errorf("the document is neither JSON nor YAML: %w", err)
	}
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		return nil, errors.New("the document must be one YAML document")
	}
	writer := jsonWriter{}
	if err := writer.node(&root, 0); err != nil {
		return nil, err
	}
	return writer.out.Bytes(), nil
}

// jsonWriter writes YAML nodes as JSON. It expands aliases; its output has the bound of a request body.
type jsonWriter struct{ out bytes.Buffer }

func (w *jsonWriter) node(n *yaml.Node, depth int) error {
	if depth > maxDocumentDepth || w.out.Len() > sale.MaxDocumentBytes {
		return fmt.Errorf("line %d: the document is too deep or too large", n.Line)
	}
	switch n.Kind {
	case yaml.DocumentNode:
		return w.node(n.Content[0], depth+1)
	case yaml.AliasNode:
		return w.node(n.Alias, depth+1)
	case yaml.MappingNode:
		return w.mapping(n, depth)
	case yaml.SequenceNode:
		w.out.WriteByte('[')
		for i, element := range n.Content {
			if i > 0 {
				w.out.WriteByte(',')
			}
			if err := w.node(element, depth+1); err != nil {
				return err
			}
		}
		w.out.WriteByte(']')
		return nil
	}
	return w.scalar(n)
}

func (w *jsonWriter) mapping(n *yaml.Node, depth int) error {
	w.out.WriteByte('{')
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode {
			return fmt.Errorf("line %d: a member's name must be plain text", key.Line)
		}
		if i > 0 {
			w.out.WriteByte(',')
		}
		if err := w.value(key.Value); err != nil {
			return err
		}
		w.out.WriteByte(':')
		if err := w.node(n.Content[i+1], depth+1); err != nil {
			return err
		}
	}
	w.out.WriteByte('}')
	return nil
}

// scalar writes numbers that are valid JSON unchanged and times as text; it converts YAML's other spellings of numbers.
func (w *jsonWriter) scalar(n *yaml.Node) error {
	switch n.ShortTag() {
	case "!!null":
		w.out.WriteString("null")
		return nil
	case "!!bool", "!!int", "!!float":
		if n.ShortTag() != "!!bool" && json.Valid([]byte(n.Value)) {
			w.out.WriteString(n.Value)
			return nil
		}
		var value any
		if err := n.Decode(&value); err != nil {
			return fmt.Errorf("line %d: %w", n.Line, err)
		}
		if err := w.value(value); err != nil {
			return fmt.Errorf("line %d: %w", n.Line, err)
		}
		return nil
	}
	return w.value(n.Value)
}

func (w *jsonWriter) value(v any) error {
	encoded, err := sale.JSON(v)
	if err != nil {
		return err
	}
	w.out.Write(encoded)
	return nil
}
