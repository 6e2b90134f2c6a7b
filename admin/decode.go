package admin

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"flashsale/sale"
)

// faultList is what is wrong with a body, so that one answer names everything. The list has a bound; at has the path of
// every fault, also of those that the list has no room for.
type faultList struct {
	list sale.FieldErrors
	at   map[string]bool
	form func(path string) string // the range or the words of a member, "" when the fault says all
	opts json.Options             // of the decoding
}

// add notes a fault of a member. A member has one fault: what follows from the first one is no news.
func (f *faultList) add(path, detail string) {
	if f.covers(path) {
		return
	}
	f.at[path] = true
	if f.form != nil && len(f.list) < sale.MaxFieldErrors {
		if form := f.form(path); form != "" {
			detail += ": " + form
		}
	}
	f.keep(sale.Fieldf(path, "%s", detail))
}

func (f *faultList) keep(fault *sale.FieldError) {
	if len(f.list) < sale.MaxFieldErrors {
		f.list = append(f.list, fault)
	}
}

// covers reports whether the member, or one that contains it, has a fault.
func (f *faultList) covers(path string) bool {
	for {
		if f.at[path] {
			return true
		}
		cut := max(strings.LastIndexByte(path, '.'), strings.LastIndexByte(path, '['))
		if cut < 0 {
			return false
		}
		path = path[:cut]
	}
}

// need notes a member without a default that the body lacks.
func (f *faultList) need(path string, given bool) {
	if !given {
		f.add(path, "is required")
	}
}

// join adds the faults that the validation of the decoded value found. It leaves out those of members that could not be
// decoded, because the value has a zero there.
func (f *faultList) join(err error) error {
	var found sale.FieldErrors
	var one *sale.FieldError
	switch {
	case errors.As(err, &found):
	case errors.As(err, &one):
		found = sale.FieldErrors{one}
	case err != nil:
		return err
	}
	for _, fault := range found {
		if !f.covers(fault.Field) {
			f.keep(fault)
		}
	}
	if len(f.list) == 0 {
		return nil
	}
	return f.list
}

// decodeStrict reads a JSON object into target. It notes every unknown or repeated member and every wrong type by the
// member's path and reads on. The error is for a body that is not one JSON object: nothing after the mistake can be read.
func decodeStrict(body []byte, target any, form func(path string) string) (*faultList, error) {
	found := &faultList{at: map[string]bool{}, form: form}
	if trimmed := bytes.TrimLeft(body, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '{' {
		return found, malformed("", "the body must be a JSON object")
	}
	err := json.Unmarshal(body, target, jsontext.AllowDuplicateNames(true), json.WithUnmarshalers(json.UnmarshalFromFunc(
		func(decoder *jsontext.Decoder, part checked) error {
			found.opts = decoder.Options()
			return part.readFrom(decoder, found)
		})))
	var syntactic *jsontext.SyntacticError
	switch {
	case err == nil:
		return found, nil
	case errors.As(err, &syntactic):
		return found, malformed("", fmt.Sprintf("the body is not valid JSON at byte %d", syntactic.ByteOffset))
	}
	return found, malformed("", "the body is not valid JSON")
}

func semanticDetail(err error) string {
	var semantic *json.SemanticError
	switch {
	case !errors.As(err, &semantic) || semantic.GoType == nil:
		return "has a value of the wrong type"
	case semantic.GoType == reflect.TypeFor[sale.Time]():
		return "must be an RFC 3339 time such as 2026-11-11T10:00:00Z"
	}
	switch semantic.GoType.Kind() {
	case reflect.String:
		return "must be a string"
	case reflect.Int, reflect.Int64, reflect.Uint32, reflect.Uint64:
		return "must be a whole number within its range"
	case reflect.Float64:
		return "must be a number within its range"
	}
	return "has a value of the wrong type"
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
