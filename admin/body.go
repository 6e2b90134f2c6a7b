package admin

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"flashsale/sale"
)

const (
	// maxDrainBytes and drainLimit bound how much of a refused body the server reads. It reads on so that the client
	// gets the answer instead of a connection reset.
	maxDrainBytes = 64 << 20
	drainLimit    = 5 * time.Second
)

// readBody reads the whole body within its limits of size and time.
func readBody(w http.ResponseWriter, r *http.Request, limit time.Duration) ([]byte, error) {
	if r.ContentLength == 0 {
		return nil, nil
	}
	if r.ContentLength > sale.MaxDocumentBytes {
		drain(w, r)
		return nil, &http.MaxBytesError{Limit: sale.MaxDocumentBytes}
	}
	control := http.NewResponseController(w)
	if err := control.SetReadDeadline(time.Now().Add(limit)); err != nil {
		return nil, fmt.Errorf("bound the reading of a body: %w", err)
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, sale.MaxDocumentBytes+1))
	if len(body) > sale.MaxDocumentBytes {
		drain(w, r)
		return nil, &http.MaxBytesError{Limit: sale.MaxDocumentBytes}
	}
	if err != nil {
		return nil, malformed("", "the body could not be read to its end")
	}
	// The server keeps reading to notice that a client closes the connection. A deadline that stays set would look like
	// such a close.
	if err := control.SetReadDeadline(time.Time{}); err != nil {
		return nil, fmt.Errorf("bound the reading of a body: %w", err)
	}
	return body, nil
}

// drain reads the rest of a refused body, bounded. A client that waits for 100 Continue has sent nothing.
func drain(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Expect") != "" {
		return
	}
	if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(drainLimit)); err == nil {
		_, _ = io.CopyN(io.Discard, r.Body, maxDrainBytes) // a failure changes nothing: the body is refused
	}
}

// decodeStrict reads a JSON object into target. An unknown or repeated member, a wrong type or bytes after the object
// are errors that name the member by its path.
func decodeStrict(body []byte, target any) error {
	if trimmed := bytes.TrimLeft(body, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '{' {
		return malformed("", "the body must be a JSON object")
	}
	err := json.Unmarshal(body, target, json.RejectUnknownMembers(true))
	if err == nil {
		return nil
	}
	var (
		field     *sale.FieldError
		semantic  *json.SemanticError
		syntactic *jsontext.SyntacticError
	)
	switch {
	case errors.As(err, &field):
		return field
	case errors.As(err, &syntactic):
		if errors.Is(err, jsontext.ErrDuplicateName) {
			return sale.Fieldf(fieldPath(syntactic.JSONPointer), "stands twice")
		}
		return malformed("", fmt.Sprintf("the body is not valid JSON at byte %d", syntactic.ByteOffset))
	case errors.As(err, &semantic):
		return sale.Fieldf(fieldPath(semantic.JSONPointer), "%s", semanticDetail(semantic))
	}
	return malformed("", "the body is not valid JSON")
}

func semanticDetail(err *json.SemanticError) string {
	var reason plainReason
	switch {
	case errors.Is(err, json.ErrUnknownName):
		return "is not a known member"
	case errors.As(err, &reason):
		return string(reason)
	case err.GoType == nil:
		return "has a value of the wrong type"
	case err.GoType == reflect.TypeFor[sale.Time]():
		return "must be an RFC 3339 time such as 2026-11-11T10:00:00Z"
	}
	switch err.GoType.Kind() {
	case reflect.String:
		return "must be a string"
	case reflect.Int, reflect.Int64, reflect.Uint32, reflect.Uint64:
		return "must be a whole number within its range"
	case reflect.Float64:
		return "must be a number within its range"
	case reflect.Slice:
		return "must be an array"
	}
	return "must be an object"
}

// fieldPath turns the JSON pointer /items/2/stock into items[2].stock.
func fieldPath(pointer jsontext.Pointer) string {
	var text strings.Builder
	for token := range pointer.Tokens() {
		switch {
		case text.Len() > 0 && strings.Trim(token, "0123456789") == "" && token != "":
			text.WriteString("[" + token + "]")
		case text.Len() > 0:
			text.WriteString("." + token)
		default:
			text.WriteString(token)
		}
	}
	return text.String()
}

// plainReason is an error whose text becomes the detail of the answer.
type plainReason string

func (p plainReason) Error() string { return string(p) }

// member is a value that records whether the body contained it. null is refused: it would mean neither.
type member[T any] struct {
	value T
	given bool
}

// UnmarshalJSONFrom reads the value; null is an error.
func (m *member[T]) UnmarshalJSONFrom(decoder *jsontext.Decoder, opts json.Options) error {
	if decoder.PeekKind() == 'n' {
		if _, err := decoder.ReadToken(); err != nil {
			return err
		}
		return &json.SemanticError{JSONPointer: decoder.StackPointer(), Err: plainReason("must not be null")}
	}
	m.given = true
	return json.UnmarshalDecode(decoder, &m.value, opts)
}

// or returns the value, or the default when the body did not contain the member.
func (m *member[T]) or(otherwise T) T {
	if m.given {
		return m.value
	}
	return otherwise
}

// list is an array of bounded length, so that a small body of many empty elements does not use much memory.
type list[T any] []T

// UnmarshalJSONFrom reads at most sale.MaxItems elements.
func (l *list[T]) UnmarshalJSONFrom(decoder *jsontext.Decoder, opts json.Options) error {
	if decoder.PeekKind() != '[' {
		return json.UnmarshalDecode(decoder, (*[]T)(l), opts)
	}
	if _, err := decoder.ReadToken(); err != nil {
		return err
	}
	for decoder.PeekKind() != ']' {
		if len(*l) == sale.MaxItems {
			at := decoder.StackPointer().Parent()
			return &json.SemanticError{JSONPointer: at,
				Err: plainReason(fmt.Sprintf("must have at most %d elements", sale.MaxItems))}
		}
		var element T
		if err := json.UnmarshalDecode(decoder, &element, opts); err != nil {
			return err
		}
		*l = append(*l, element)
	}
	_, err := decoder.ReadToken()
	return err
}
