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
	seen  map[string]bool
}

// NewArgumentBuffer returns an empty buffer.
func NewArgumentBuffer() *ArgumentBuffer {
	return &ArgumentBuffer{sha: ReserveScript().SHA, index: map[string]int{}, seen: map[string]bool{}}
}

// of returns the arguments of a call; they are valid until the next call of of.
func (a *ArgumentBuffer) of(call *ReserveCall) []string {
	heads, counts, specs := a.write(call)
	a.args = append(a.args[:0],
		strconv.FormatInt(call.Epoch, 10), strconv.FormatInt(call.Highest, 10), strconv.FormatInt(call.DeadlineMS, 10),
		flag(call.AskedAgain), strconv.Itoa(call.MaxJournal), call.Head,
		strconv.Itoa(len(call.Trims)), strconv.Itoa(len(call.Purchases)), strconv.Itoa(len(a.skus)), counts, specs, a.lines,
		strconv.Itoa(call.Grief.Unpaid), strconv.FormatInt(call.Grief.WindowS*1000, 10), flag(a.repeats(call.Purchases)))
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

// write returns the heads, notes where each ends, the counts and the specs, and sets the SKUs and the lines. All texts are
// slices of one string: one allocation a batch.
func (a *ArgumentBuffer) write(call *ReserveCall) (heads, counts, specs string) {
	a.text, a.ends, a.skus = a.text[:0], a.ends[:0], a.skus[:0]
	clear(a.index)
	for i, p := range call.Purchases {
		a.text = append(appendHead(a.text, call.OrderIDs[i], p.Lines), ',')
		a.text = append(a.text, p.Key...)
		a.ends = append(a.ends, len(a.text))
	}
	afterHeads := len(a.text)
	a.writeCounts(call.Purchases)
	afterCounts := len(a.text)
	a.writeSpecs(call.Purchases)
	afterSpecs := len(a.text)
	for i, p := range call.Purchases {
		order := sale.RecordOrder{OrderID: call.OrderIDs[i], Lines: p.Lines, Buyer: p.Buyer, Key: p.Key}
		a.text = append(sale.AppendOrderLine(a.text, &order), '\n')
	}
	text := string(a.text)
	a.lines = text[afterSpecs:]
	return text[:afterHeads], text[afterHeads:afterCounts], text[afterCounts:afterSpecs]
}

// writeCounts writes the number of lines of each purchase, and nothing when all have one.
func (a *ArgumentBuffer) writeCounts(purchases []*sale.Purchase) {
	start, several := len(a.text), false
	for _, p := range purchases {
		a.text = append(a.text, byte(firstDigit+len(p.Lines)))
		several = several || len(p.Lines) != 1
	}
	if !several {
		a.text = a.text[:start]
	}
}

// writeSpecs writes what the lines take, and nothing when each is one unit of the same SKU. It sets the SKUs.
func (a *ArgumentBuffer) writeSpecs(purchases []*sale.Purchase) {
	start, several := len(a.text), false
	for _, p := range purchases {
		for i := range p.Lines {
			line := &p.Lines[i]
			at := a.indexOf(line.SKU)
			a.text = appendDigits(appendDigits(a.text, at), line.Quantity)
			several = several || at != 1 || line.Quantity != 1
		}
	}
	if !several {
		a.text = a.text[:start]
	}
}

// indexOf returns the index of a SKU among those of the batch, from 1.
func (a *ArgumentBuffer) indexOf(sku string) int {
	if n := len(a.skus); n > 0 && a.skus[n-1] == sku {
		return n
	}
	at := a.index[sku]
	if at == 0 {
		a.skus = append(a.skus, sku)
		at = len(a.skus)
		a.index[sku] = at
	}
	return at
}

// repeats reports whether a buyer has more than one of the purchases. The script is faster when it need not look.
func (a *ArgumentBuffer) repeats(purchases []*sale.Purchase) bool {
	if len(purchases) < 2 {
		return false
	}
	clear(a.seen)
	for _, p := range purchases {
		a.seen[p.Buyer] = true
	}
	return len(a.seen) < len(purchases)
}

// Digits of the counts and specs.
const (
	firstDigit = '0'
	digitBase  = 64
)

// appendDigits writes a number below digitBase squared as two digits.
func appendDigits(dst []byte, n int) []byte {
	return append(dst, byte(firstDigit+n/digitBase), byte(firstDigit+n%digitBase))
}

func flag(on bool) string {
	if on {
		return "1"
	}
	return "0"
}
