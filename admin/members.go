package admin

import (
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"flashsale/sale"
)

// checked is a part of a body that notes its own faults. Its error ends the reading: only a syntax error is one.
type checked interface {
	readFrom(decoder *jsontext.Decoder, found *faultList) error
}

// unknown receives the members that a body's type does not have; every one is a fault.
type unknown map[string]unknownMember

type unknownMember struct{}

func (*unknownMember) readFrom(decoder *jsontext.Decoder, found *faultList) error {
	return skip(decoder, found, "is not a known member")
}

// passedOver is a member that the answer of a reading has and a body may repeat: its value does not count.
type passedOver struct{}

func (*passedOver) readFrom(decoder *jsontext.Decoder, _ *faultList) error {
	return decoder.SkipValue()
}

// skip passes over the next value and notes a fault of it.
func skip(decoder *jsontext.Decoder, found *faultList, detail string) error {
	if err := decoder.SkipValue(); err != nil {
		return err
	}
	found.add(fieldPath(decoder.StackPointer()), detail)
	return nil
}

const (
	twice   = "stands twice"
	notNull = "must not be null"
)

// member is a text, number or time that records whether the body contained it. null is a fault: it would mean neither.
type member[T any] struct {
	value T
	given bool
}

func (m *member[T]) readFrom(decoder *jsontext.Decoder, found *faultList) error {
	if m.given {
		return skip(decoder, found, twice)
	}
	m.given = true
	if decoder.PeekKind() == 'n' {
		return skip(decoder, found, notNull)
	}
	return readScalar(decoder, found, &m.value)
}

// or returns the value, or the default when the body did not contain the member.
func (m *member[T]) or(otherwise T) T {
	if m.given {
		return m.value
	}
	return otherwise
}

// nullable is a member that null leaves out.
type nullable[T any] struct {
	value *T // nil when the body has null or nothing
	given bool
}

func (m *nullable[T]) readFrom(decoder *jsontext.Decoder, found *faultList) error {
	if m.given {
		return skip(decoder, found, twice)
	}
	m.given = true
	if decoder.PeekKind() == 'n' {
		return decoder.SkipValue()
	}
	m.value = new(T)
	return readScalar(decoder, found, m.value)
}

// readScalar reads one value as a whole, so that a wrong type leaves the decoder behind it.
func readScalar(decoder *jsontext.Decoder, found *faultList, into any) error {
	text, err := decoder.ReadValue()
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into, jsontext.AllowDuplicateNames(true)); err != nil {
		found.add(fieldPath(decoder.StackPointer()), semanticDetail(err))
	}
	return nil
}

// readObject reads an object into a struct; any other value is a fault.
func readObject(decoder *jsontext.Decoder, found *faultList, into any) error {
	if decoder.PeekKind() != '{' {
		return skip(decoder, found, "must be an object")
	}
	return json.UnmarshalDecode(decoder, into, found.opts)
}

// list is an array of objects of bounded length, so that a small body of many empty elements does not use much memory.
type list[T any] struct {
	elements []T
	given    bool
}

// readFrom keeps at most sale.MaxItems elements.
func (l *list[T]) readFrom(decoder *jsontext.Decoder, found *faultList) error {
	if l.given {
		return skip(decoder, found, twice)
	}
	l.given = true
	if decoder.PeekKind() != '[' {
		return skip(decoder, found, "must be an array")
	}
	if _, err := decoder.ReadToken(); err != nil {
		return err
	}
	path := fieldPath(decoder.StackPointer())
	for decoder.PeekKind() != ']' {
		if len(l.elements) == sale.MaxItems {
			found.add(path, fmt.Sprintf("must have at most %d elements", sale.MaxItems))
			if err := decoder.SkipValue(); err != nil {
				return err
			}
			continue
		}
		var element T
		if err := readObject(decoder, found, &element); err != nil {
			return err
		}
		l.elements = append(l.elements, element)
	}
	_, err := decoder.ReadToken()
	return err
}
