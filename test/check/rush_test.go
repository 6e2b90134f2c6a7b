package check

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/test/buyers/history"
)

// answered is a press of b1 for one unit of a, and its answer.
func answered(key string, status int, code, order string) history.Op {
	op := history.Op{Invoke: 1, Return: 9_000, Question: history.Question{Verb: history.Buy, Sale: "s", SKU: "a", Buyer: "b1",
		Key: key}}
	switch {
	case status == 0:
		op.End, op.Code = history.Perhaps, history.NoAnswer
	case status < 300:
		op.Answer = history.Answer{End: history.OK, Status: status, Orders: []history.Seen{{Order: order, Status: code, SKU: "a",
			Quantity: 1, Lines: units("a", 1)}}}
	default:
		op.Answer = history.Answer{End: history.Refused, Status: status, Code: code, Named: order, NamedSKU: "a"}
		if code == "already_bought" {
			op.Scope, op.Bought = "sku", 1
		}
	}
	return op
}

// TestJudgeOfARush: what a rush without any loss has to keep, one small breach after the other.
func TestJudgeOfARush(t *testing.T) {
	good := Row{Order: "7", Sale: "s", Lines: units("a", 1), Buyer: "b1", Key: "k", Status: "confirmed", CreatedMS: 5}
	with := func(change func(*Row)) Row { r := good; change(&r); return r }
	judge := func(rows []Row, ops []history.Op) string {
		return fmt.Sprint(Judge(&Evidence{Sales: map[string]Sale{"s": {EndsMS: 100, Limit: 1, Loaded: map[string]int64{"a": 1}}},
			Rows: rows, Ops: ops, Unread: true, Calm: true}).Faults)
	}
	yes, no := answered("k", 202, "queued", "7"), answered("", 409, "sold_out", "")
	other, bought := answered("k", 202, "queued", "8"), answered("", 409, "already_bought", "7")
	require.Equal(t, "[]", judge([]Row{good}, []history.Op{yes, yes, no, bought}))
	require.Equal(t, "[]", judge([]Row{good}, []history.Op{answered("k", 0, "", "")}), "no answer is perhaps")
	second := with(func(r *Row) { r.Order = "8" })
	for what, breach := range map[string]struct {
		rows []Row
		ops  []history.Op
	}{
		"and has no row":                    {nil, []history.Op{yes}},
		"no press asked for order 7":        {[]Row{good}, []history.Op{no}},
		"was refused":                       {[]Row{with(func(r *Row) { r.Status = "refused" })}, []history.Op{yes}},
		"the limit is 1":                    {[]Row{good, second}, []history.Op{yes}},
		"1 were loaded":                     {[]Row{good, second}, []history.Op{yes}},
		"names orders 7 and 8":              {[]Row{good, second}, []history.Op{yes, other}},
		"which is not theirs":               {[]Row{with(func(r *Row) { r.Buyer = "b2" })}, []history.Op{bought}},
		"but b1 asked for a:1 of s":         {[]Row{with(func(r *Row) { r.Lines = units("a", 2) })}, []history.Op{yes}},
		"Lines:[{SKU:c Quantity:1":          {[]Row{with(func(r *Row) { r.Lines = units("c", 1) })}, []history.Op{yes}},
		"asked for a:1 of s with key \"k\"": {[]Row{with(func(r *Row) { r.Key = "" })}, []history.Op{yes}},
		"taken at 100, the sale goes from":  {[]Row{with(func(r *Row) { r.CreatedMS = 100 })}, nil},
	} {
		require.Contains(t, judge(breach.rows, breach.ops), what)
	}
}
