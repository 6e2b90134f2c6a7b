package reserve

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/redis/rueidis"

	"flashsale/sale"
	"flashsale/scripts"
)

// Codes of the reserve script's reply, and the code that the client adds for a server without the script.
const (
	codeOK     = "ok"
	codeWindow = "window"
	codeLate   = "late"
	codeFenced = "fenced"

	detailNoScript = "noscript"

	allTaken = "all" // the verdicts of a batch of which everything was taken
)

// reserveCall is one call of the reserve script, as scripts/reserve.lua describes its arguments.
type reserveCall struct {
	keys       bucketKeys
	head       string // SALE SKU NUMBER
	epoch      int64
	highest    int64
	deadlineMS int64
	askedAgain bool
	maxJournal int
	grief      sale.Grief
	trims      []trim
	purchases  []*sale.Purchase
	orderIDs   []sale.OrderID // one for each purchase
}

// reserveReply is the script's answer.
type reserveReply struct {
	code      string
	detail    string
	epoch     int64
	sequence  int64
	nowMS     int64
	available int64
	entryID   string
	record    string
	verdicts  string
}

// reserve calls the script. A server without it answers fenced: it restarted or was promoted, and what it holds is in
// doubt until a rebuild.
func (r *Redis) reserve(ctx context.Context, call *reserveCall, arguments *argumentBuffer) (reserveReply, error) {
	client, err := r.connected()
	if err != nil {
		return reserveReply{}, err
	}
	if err := r.enter(ctx); err != nil {
		return reserveReply{}, err
	}
	defer r.leave()
	command := client.B().Evalsha().Sha1(arguments.sha).Numkeys(3).
		Key(call.keys.meta, call.keys.buyers, call.keys.journal).Arg(arguments.of(call)...).Build()
	return arguments.replyOf(client.Do(ctx, command))
}

// lacksIt reports whether the server does not know the script that it was asked to run.
func lacksIt(result rueidis.RedisResult) bool {
	redisErr, ok := rueidis.IsRedisErr(result.Error())
	return ok && redisErr.IsNoScript()
}

func decodeReserve(result rueidis.RedisResult) (reserveReply, error) {
	if lacksIt(result) {
		return reserveReply{code: codeFenced, detail: detailNoScript}, nil
	}
	values, err := result.ToArray()
	if err != nil {
		return reserveReply{}, err
	}
	if len(values) != 10 {
		return reserveReply{}, fmt.Errorf("reserve script answered %d values, not 10", len(values))
	}
	fields := fieldReader{values: values}
	reply := reserveReply{
		code: fields.text(0), detail: fields.text(1), epoch: fields.number(2), sequence: fields.number(3),
		nowMS: fields.number(4), available: fields.number(5), entryID: fields.text(6), record: fields.text(7) + fields.text(8),
		verdicts: fields.text(9),
	}
	return reply, fields.err
}

// fieldReader reads the values of a reply by their place and keeps the first error.
type fieldReader struct {
	values []rueidis.RedisMessage
	err    error
}

func (f *fieldReader) text(i int) string {
	text, err := f.values[i].ToString()
	f.keep(i, err)
	return text
}

// number reads an integer, also from text; a nil is 0.
func (f *fieldReader) number(i int) int64 {
	if f.values[i].IsNil() {
		return 0
	}
	n, err := f.values[i].AsInt64()
	f.keep(i, err)
	return n
}

func (f *fieldReader) keep(i int, err error) {
	if err != nil && f.err == nil {
		f.err = fmt.Errorf("reply value %d: %w", i, err)
	}
}

// argumentBuffer builds the script's arguments and keeps its memory from batch to batch: it belongs to one flow.
type argumentBuffer struct {
	sha   string
	args  []string
	text  []byte
	ends  []int
	lines string // of the record, when everything is taken
}

func newArgumentBuffer() *argumentBuffer { return &argumentBuffer{sha: scripts.ReserveScript().SHA} }

// of returns the arguments; they are valid until the next call.
func (a *argumentBuffer) of(call *reserveCall) []string {
	quantities := slices.ContainsFunc(call.purchases, func(p *sale.Purchase) bool { return p.Quantity != 1 })
	heads := a.write(call)
	a.args = append(a.args[:0],
		strconv.FormatInt(call.epoch, 10), strconv.FormatInt(call.highest, 10), strconv.FormatInt(call.deadlineMS, 10),
		flag(call.askedAgain), strconv.Itoa(call.maxJournal), call.head,
		strconv.Itoa(len(call.trims)), strconv.Itoa(len(call.purchases)), flag(quantities), a.lines,
		strconv.Itoa(call.grief.Unpaid), strconv.FormatInt(call.grief.WindowS*1000, 10))
	for _, t := range call.trims {
		a.args = append(a.args, t.entryID, strconv.Itoa(t.orders))
	}
	for _, p := range call.purchases {
		a.args = append(a.args, p.Buyer)
	}
	from := 0
	for _, end := range a.ends {
		a.args = append(a.args, heads[from:end])
		from = end
	}
	if quantities {
		for _, p := range call.purchases {
			a.args = append(a.args, strconv.Itoa(p.Quantity)) // 1 to 100: no allocation below 100
		}
	}
	return a.args
}

// replyOf returns the answer to these arguments, with the lines of the record that it leaves out.
func (a *argumentBuffer) replyOf(result rueidis.RedisResult) (reserveReply, error) {
	reply, err := decodeReserve(result)
	if reply.verdicts == allTaken {
		reply.record += a.lines
	}
	return reply, err
}

// write writes the heads, whose ends it notes, and the lines. Both are slices of one string: one allocation a batch.
func (a *argumentBuffer) write(call *reserveCall) (heads string) {
	a.text, a.ends = a.text[:0], a.ends[:0]
	for i, p := range call.purchases {
		a.text = append(appendHead(a.text, call.orderIDs[i], p.Quantity), ',')
		a.text = append(a.text, p.Key...)
		a.ends = append(a.ends, len(a.text))
	}
	border := len(a.text)
	for i, p := range call.purchases {
		order := sale.RecordOrder{OrderID: call.orderIDs[i], Quantity: p.Quantity, Buyer: p.Buyer, Key: p.Key}
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

// definite reports whether a failed call certainly changed nothing: it was never sent, or Redis itself answered with an
// error, which it does before the script's first write.
func definite(err error) bool {
	_, redisSaid := rueidis.IsRedisErr(err)
	return redisSaid || notSent(err)
}
