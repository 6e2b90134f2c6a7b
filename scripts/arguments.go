package scripts

import (
	"slices"
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
	lines string // of the record, used when the script takes the whole batch
}

// NewArgumentBuffer returns an empty buffer.
func NewArgumentBuffer() *ArgumentBuffer { return &ArgumentBuffer{sha: ReserveScript().SHA} }

// of returns the arguments of a call; they are valid until the next call of of.
func (a *ArgumentBuffer) of(call *ReserveCall) []string {
	quantities := slices.ContainsFunc(call.Purchases, func(p *sale.Purchase) bool { return p.Quantity != 1 })
	heads := a.write(call)
	a.args = append(a.args[:0],
		strconv.FormatInt(call.Epoch, 10), strconv.FormatInt(call.Highest, 10), strconv.FormatInt(call.DeadlineMS, 10),
		flag(call.AskedAgain), strconv.Itoa(call.MaxJournal), call.Head,
		strconv.Itoa(len(call.Trims)), strconv.Itoa(len(call.Purchases)), flag(quantities), a.lines,
		strconv.Itoa(call.Grief.Unpaid), strconv.FormatInt(call.Grief.WindowS*1000, 10))
	for _, t := range call.Trims {
		a.args = append(a.args, t.EntryID, strconv.Itoa(t.Orders))
	}
	for _, p := range call.Purchases {
		a.args = append(a.args, p.Buyer)
	}
	from := 0
	for _, end := range a.ends {
		a.args = append(a.args, heads[from:end])
		from = end
	}
	if quantities {
		for _, p := range call.Purchases {
			a.args = append(a.args, strconv.Itoa(p.Quantity)) // 1 to 100: no allocation below 100
		}
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

// write returns the heads, notes where each ends, and sets the lines. Both are slices of one string: one allocation a batch.
func (a *ArgumentBuffer) write(call *ReserveCall) (heads string) {
	a.text, a.ends = a.text[:0], a.ends[:0]
	for i, p := range call.Purchases {
		a.text = append(appendHead(a.text, call.OrderIDs[i], p.Quantity), ',')
		a.text = append(a.text, p.Key...)
		a.ends = append(a.ends, len(a.text))
	}
	border := len(a.text)
	for i, p := range call.Purchases {
		order := sale.RecordOrder{OrderID: call.OrderIDs[i], Quantity: p.Quantity, Buyer: p.Buyer, Key: p.Key}
		a.text = append(sale.AppendOrderLine(a.text, &order), '\n')
	}
	text := string(a.text)
	a.lines = text[border:]
	return text[:border]
}

func flag(on bool) string {
	if on {
		return "1"
	}
	return "0"
}
