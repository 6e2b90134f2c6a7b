package events

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// schema is the promise to consumers.
func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	compiled, err := jsonschema.NewCompiler().Compile("schema.json")
	require.NoError(t, err)
	return compiled
}

// object reads JSON as the validator wants it.
func object(t *testing.T, text []byte) any {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	require.NoError(t, err)
	return value
}

// everyEvent writes an event of every type, of one line and of two, with every member that it may have.
func everyEvent() (texts [][]byte) {
	payBy := sale.TimeMillis(1_800_000_900_000)
	for _, status := range []sale.OrderStatus{
		sale.StatusConfirmed, sale.StatusPaid, sale.StatusCancelled, sale.StatusExpired, sale.StatusRefused,
	} {
		o := order(77, status)
		switch status {
		case sale.StatusPaid:
			o.PaymentID, o.PayBy = "pay-1", &payBy
		case sale.StatusRefused:
			o.Reason = sale.ReasonSoldOut
		default:
			o.PayBy = &payBy
		}
		two := o
		two.Lines = append([]sale.Line{{SKU: "Case.1", Quantity: 2, UnitPriceCents: 0}}, o.Lines...)
		page := newPageOfEvents("shop", []sale.OrderEvent{{ID: 1, Orders: []sale.Order{o, two}},
			{ID: 2, Orders: []sale.Order{o}, Extended: status == sale.StatusConfirmed}})
		for _, r := range page.records {
			texts = append(texts, r.Value)
		}
	}
	return texts
}

func TestEventsFitTheSchema(t *testing.T) {
	promise := schema(t)
	for _, text := range everyEvent() {
		require.NoError(t, promise.Validate(object(t, text)), "%s", text)
	}
}

// TestTheSchemaRefusesOtherEvents: it promises something.
func TestTheSchemaRefusesOtherEvents(t *testing.T) {
	promise := schema(t)
	good := everyEvent()[0]
	for _, change := range [][2]string{
		{`"specversion":"1.0"`, `"specversion":"2.0"`}, {`"id":"77:confirmed"`, `"id":"77"`},
		{`"flashsale.order.confirmed"`, `"flashsale.order.held"`}, {`"total_cents":129900`, `"total_cents":"129900"`},
		{`"buyer_id"`, `"buyer"`}, {`.000Z","updated_at"`, `Z","updated_at"`},
	} {
		bad := bytes.Replace(good, []byte(change[0]), []byte(change[1]), 1)
		require.NotEqual(t, string(good), string(bad), change[0])
		require.Error(t, promise.Validate(object(t, bad)), "%s", bad)
	}
}

// landed is a file with events as earlier versions wrote them, one a line. Lines are only added: FLASHSALE_LANDED=1 adds those of
// this version whose members no line has yet.
const landed = "testdata/landed.jsonl"

// TestLandedEventsStayReadable: the events that consumers have stored still fit the schema, and every member of theirs is in the
// event that this version writes of the same type, with a value of the same type.
func TestLandedEventsStayReadable(t *testing.T) {
	present := map[string]bool{}
	for _, text := range everyEvent() {
		for _, member := range membersOf(t, text) {
			present[member] = true
		}
	}
	if os.Getenv("FLASHSALE_LANDED") != "" {
		addLanded(t)
	}
	promise, lines := schema(t), landedEvents(t)
	require.NotEmpty(t, lines)
	for _, text := range lines {
		require.NoError(t, promise.Validate(object(t, text)), "%s", text)
		for _, member := range membersOf(t, text) {
			require.True(t, present[member], "no event has %s any more, which consumers may read: %s", member, text)
		}
	}
	known := map[string]bool{}
	for _, text := range lines {
		for _, member := range membersOf(t, text) {
			known[member] = true
		}
	}
	for member := range present {
		require.True(t, known[member], "%s is new: add it to %s with FLASHSALE_LANDED=1", member, landed)
	}
}

func landedEvents(t *testing.T) (lines [][]byte) {
	t.Helper()
	text, err := os.ReadFile(landed)
	require.NoError(t, err)
	scanner := bufio.NewScanner(bytes.NewReader(text))
	for scanner.Scan() {
		lines = append(lines, bytes.Clone(scanner.Bytes()))
	}
	require.NoError(t, scanner.Err())
	return lines
}

// addLanded adds the events of this version that have a member which no landed event has.
func addLanded(t *testing.T) {
	t.Helper()
	file, err := os.OpenFile(landed, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	require.NoError(t, err)
	defer func() { require.NoError(t, file.Close()) }()
	known := map[string]bool{}
	for _, text := range landedEvents(t) {
		for _, member := range membersOf(t, text) {
			known[member] = true
		}
	}
	for _, text := range everyEvent() {
		isNew := false
		for _, member := range membersOf(t, text) {
			isNew = isNew || !known[member]
			known[member] = true
		}
		if isNew {
			_, err := file.Write(append(bytes.Clone(text), '\n'))
			require.NoError(t, err)
		}
	}
}

// membersOf returns the members of an event with their types, such as "paid data.lines[].sku string".
func membersOf(t *testing.T, text []byte) []string {
	t.Helper()
	var event map[string]any
	require.NoError(t, json.Unmarshal(text, &event))
	var members []string
	var walk func(path string, value any)
	walk = func(path string, value any) {
		switch v := value.(type) {
		case map[string]any:
			for name, inner := range v {
				walk(path+"."+name, inner)
			}
		case []any:
			for _, inner := range v {
				walk(path+"[]", inner)
			}
		default:
			members = append(members, fmt.Sprintf("%s %T", path, v))
		}
	}
	kind, _ := event["type"].(string)
	walk(kind, event)
	return members
}
