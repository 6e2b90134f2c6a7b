package check

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/test/buyers/history"
)

// told is a press of b1 for one unit of a, and its answer.
func told(key string, status int, code, order string) history.Op {
	op := history.Op{Invoke: 1, Return: 9_000, Question: history.Question{Verb: history.Buy, Sale: "s", SKU: "a", Buyer: "b1",
		Key: key}}
	switch {
	case status == 0:
		op.End, op.Code = history.Perhaps, history.NoAnswer
	case status < 300:
		op.Answer = history.Answer{End: history.OK, Status: status, Orders: []history.Seen{{Order: order, Status: code, SKU: "a",
			Quantity: 1}}}
	default:
		op.Answer = history.Answer{End: history.Refused, Status: status, Code: code, Named: order}
	}
	return op
}

// TestJudgeOfARush: what a rush without any loss has to keep, one small breach after the other.
func TestJudgeOfARush(t *testing.T) {
	good := Row{Order: "7", Sale: "s", SKU: "a", Buyer: "b1", Key: "k", Status: "confirmed", Quantity: 1, CreatedMS: 5}
	with := func(change func(*Row)) Row { r := good; change(&r); return r }
	judge := func(rows []Row, ops []history.Op) string {
		return fmt.Sprint(Judge(&Evidence{Sales: map[string]Sale{"s": {EndsMS: 100, Limit: 1, Loaded: map[string]int64{"a": 1}}},
			Rows: rows, Ops: ops, Unread: true, Calm: true}).Faults)
	}
	yes, no := told("k", 202, "queued", "7"), told("", 409, "sold_out", "")
	other, bought := told("k", 202, "queued", "8"), told("", 409, "already_bought", "7")
	require.Equal(t, "[]", judge([]Row{good}, []history.Op{yes, yes, no, bought}))
	require.Equal(t, "[]", judge([]Row{good}, []history.Op{told("k", 0, "", "")}), "no answer is perhaps")
	second := with(func(r *Row) { r.Order = "8" })
	for what, breach := range map[string]struct {
		rows []Row
		ops  []history.Op
	}{
		"and has no row":                    {nil, []history.Op{yes}},
		"nobody pressed for order 7":        {[]Row{good}, []history.Op{no}},
		"was refused":                       {[]Row{with(func(r *Row) { r.Status = "refused" })}, []history.Op{yes}},
		"the limit is 1":                    {[]Row{good, second}, []history.Op{yes}},
		"1 were loaded":                     {[]Row{good, second}, []history.Op{yes}},
		"names orders 7 and 8":              {[]Row{good, second}, []history.Op{yes, other}},
		"which is not theirs":               {[]Row{with(func(r *Row) { r.Buyer = "b2" })}, []history.Op{bought}},
		"but b1 asked for 0 of s/a":         {[]Row{with(func(r *Row) { r.Quantity = 2 })}, []history.Op{yes}},
		"SKU:c Buyer:b1 Key:k Bucket:0":     {[]Row{with(func(r *Row) { r.SKU = "c" })}, []history.Op{yes}},
		"asked for 0 of s/a with key \"k\"": {[]Row{with(func(r *Row) { r.Key = "" })}, []history.Op{yes}},
		"taken at 100, the sale goes from":  {[]Row{with(func(r *Row) { r.CreatedMS = 100 })}, nil},
	} {
		require.Contains(t, judge(breach.rows, breach.ops), what)
	}
}
