package sale

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// MaxDocumentBytes is the size limit of the documents that operators write: sales and rules. Buyer lists may be larger.
const MaxDocumentBytes = 16 << 20

// JSON writes a value as JSON without HTML escapes and without a final newline.
func JSON(value any) ([]byte, error) {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, fmt.Errorf("encode %T: %w", value, err)
	}
	return bytes.TrimSuffix(buffer.Bytes(), []byte("\n")), nil
}
