package scripts

import (
	"strconv"

	"github.com/redis/rueidis"

	"flashsale/sale"
)

// ArgumentBuffer builds the arguments of the reserve script and keeps its memory from batch to batch. One goroutine at a time
// uses it.
type ArgumentBuffer struct {
	sha   string
	args  []string
	text  []byte
	ends  []int
	lines string         // of the record, used when the script takes the whole batch
	skus  []string       // distinct ones of the batch
	index map[string]int // of them: 1, 2, 3, …
}

// NewArgumentBuffer returns an empty buffer.
func NewArgumentBuffer() *ArgumentBuffer {
	return &ArgumentBuffer{sha: ReserveScript().SHA, index: map[string]int{}}
}

// of returns the arguments of a call; they are valid until the next call of of.
func (a *ArgumentBuffer) of(call *ReserveCall) []string {
	heads, specs := a.write(call)
	a.args = append(a.args[:0],
		strconv.FormatInt(call.Epoch, 10), strconv.FormatInt(call.Highest, 10), strconv.FormatInt(call.DeadlineMS, 10),
		flag(call.AskedAgain), strconv.Itoa(call.MaxJournal), call.Head,
		strconv.Itoa(len(call.Trims)), strconv.Itoa(len(call.Purchases)), strconv.Itoa(len(a.skus)), specs, a.lines,
		strconv.Itoa(call.Grief.Unpaid), strconv.FormatInt(call.Grief.WindowS*1000, 10))
	for _, t := range call.Trims {
		a.args = append(a.args, t.EntryID, strconv.Itoa(t.Orders))
	}
	a.args = append(a.args, a.skus...)
	for _, p := range call.Purchases {
		a.args = append(a.args, p.Buyer)
	}
	from := 0
	for _, end := range a.ends {
		a.args = append(a.args, heads[from:end])
		from = end
	}
	return a.args
}

// replyOf decodes the reply to these arguments and adds the lines of the record that the script left out.
func (a *ArgumentBuffer) replyOf(result rueidis.RedisResult) (ReserveReply, error) {
	reply, err := decodeReserve(result)
	if reply.Verdicts == AllTaken {
		reply.Record += a.lines
	}
	return reply, err
}

// write returns the heads, notes where each ends, and the specs, and sets the SKUs and the lines. All texts are slices of one
// string: one allocation a batch.
func (a *ArgumentBuffer) write(call *ReserveCall) (heads, specs string) {
	a.text, a.ends, a.skus = a.text[:0], a.ends[:0], a.skus[:0]
	clear(a.index)
	for i, p := range call.Purchases {
		a.text = append(appendHead(a.text, call.OrderIDs[i], p.Lines), ',')
		a.text = append(a.text, p.Key...)
		a.ends = append(a.ends, len(a.text))
	}
	afterHeads := len(a.text)
	plain := true
	for i, p := range call.Purchases {
		if i > 0 {
			a.text = append(a.text, ' ')
		}
		plain = a.appendSpec(p.Lines) && plain
	}
	if plain {
		a.text = a.text[:afterHeads]
	}
	afterSpecs := len(a.text)
	for i, p := range call.Purchases {
		order := sale.RecordOrder{OrderID: call.OrderIDs[i], Lines: p.Lines, Buyer: p.Buyer, Key: p.Key}
		a.text = append(sale.AppendOrderLine(a.text, &order), '\n')
	}
	text := string(a.text)
	a.lines = text[afterSpecs:]
	return text[:afterHeads], text[afterHeads:afterSpecs]
}

// appendSpec writes what a purchase takes: for each line the index of its SKU, and :QUANTITY unless that is 1, joined by +. It
// reports whether the purchase is one unit of the first SKU.
func (a *ArgumentBuffer) appendSpec(lines []sale.Line) bool {
	for i := range lines {
		line := &lines[i]
		at := a.index[line.SKU]
		if at == 0 {
			a.skus = append(a.skus, line.SKU)
			at = len(a.skus)
			a.index[line.SKU] = at
		}
		if i > 0 {
			a.text = append(a.text, '+')
		}
		a.text = appendTimes(strconv.AppendInt(a.text, int64(at), 10), line.Quantity)
	}
	return len(lines) == 1 && len(a.skus) == 1 && lines[0].Quantity == 1
}

func flag(on bool) string {
	if on {
		return "1"
	}
	return "0"
}
