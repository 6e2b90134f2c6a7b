package scripts

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"flashsale/sale"
)

// Codes of the reserve script's reply, and the code that the client adds for a server without the script.
const (
	CodeOK     = "ok"
	CodeWindow = "window"
	CodeLate   = "late"
	CodeFenced = "fenced"

	DetailNoScript = "noscript"

	AllTaken = "all" // the verdicts of a batch of which everything was taken
)

// ReserveCall is one call of the reserve script; reserve.lua describes its arguments.
type ReserveCall struct {
	Keys       BucketKeys
	Head       string // SALE SKU NUMBER
	Clock      *Clock // of the server that holds the bucket
	Within     time.Duration
	Epoch      int64
	Highest    int64 // sequence seen in the epoch
	DeadlineMS int64 // by Redis's clock, Unix milliseconds; Reserve sets it
	AskedAgain bool  // an earlier call with the same order ids may have taken units
	MaxJournal int   // orders
	Grief      sale.Grief
	Trims      []Trim // at most 64
	Purchases  []*sale.Purchase
	OrderIDs   []sale.OrderID // one for each purchase
}

// ReserveReply is the script's reply.
type ReserveReply struct {
	Code      string
	Detail    string
	Epoch     int64
	Sequence  int64
	NowMS     int64
	available int64
	EntryID   string
	Record    string
	Verdicts  string
}

// Reserve calls the script once, with a deadline of call.Within by Redis's clock, and learns that clock from the reply. A
// server without the script answers fenced: it restarted or was promoted, and its data is in doubt until a rebuild. After an
// error that is not Definite the call may have taken units, or may take them until its deadline.
func (r *Redis) Reserve(call *ReserveCall, arguments *ArgumentBuffer) (ReserveReply, error) {
	now, err := call.Clock.Time(context.Background(), r)
	if err != nil {
		return ReserveReply{}, err
	}
	client, err := r.connected()
	if err != nil {
		return ReserveReply{}, err
	}
	call.DeadlineMS = now.Add(call.Within).UnixMilli()
	ctx, cancel := context.WithTimeout(context.Background(), call.Within)
	defer cancel()
	sent := call.Clock.Reading()
	if err := r.enter(ctx); err != nil {
		return ReserveReply{}, err
	}
	defer r.leave()
	command := client.B().Evalsha().Sha1(arguments.sha).Numkeys(3).
		Key(call.Keys.Meta, call.Keys.Buyers, call.Keys.Journal).Arg(arguments.of(call)...).Build()
	reply, err := arguments.replyOf(client.Do(ctx, command))
	if err == nil && reply.NowMS > 0 {
		call.Clock.Learn(sent, call.Clock.Reading(), time.Duration(reply.NowMS)*time.Millisecond+time.Millisecond/2)
	}
	return reply, err
}

// lacksIt reports whether the server does not know the script that it was asked to run.
func lacksIt(result rueidis.RedisResult) bool {
	redisErr, ok := rueidis.IsRedisErr(result.Error())
	return ok && redisErr.IsNoScript()
}

func decodeReserve(result rueidis.RedisResult) (ReserveReply, error) {
	if lacksIt(result) {
		return ReserveReply{Code: CodeFenced, Detail: DetailNoScript}, nil
	}
	values, err := result.ToArray()
	if err != nil {
		return ReserveReply{}, err
	}
	if len(values) != 10 {
		return ReserveReply{}, fmt.Errorf("reserve script answered %d values, not 10", len(values))
	}
	fields := fieldReader{values: values}
	reply := ReserveReply{
		Code: fields.text(0), Detail: fields.text(1), Epoch: fields.number(2), Sequence: fields.number(3),
		NowMS: fields.number(4), available: fields.number(5), EntryID: fields.text(6), Record: fields.text(7) + fields.text(8),
		Verdicts: fields.text(9),
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
type ArgumentBuffer struct {
	sha   string
	args  []string
	text  []byte
	ends  []int
	lines string // of the record, when everything is taken
}

func NewArgumentBuffer() *ArgumentBuffer { return &ArgumentBuffer{sha: ReserveScript().SHA} }

// of returns the arguments; they are valid until the next call.
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

// replyOf returns the answer to these arguments, with the lines of the record that it leaves out.
func (a *ArgumentBuffer) replyOf(result rueidis.RedisResult) (ReserveReply, error) {
	reply, err := decodeReserve(result)
	if reply.Verdicts == AllTaken {
		reply.Record += a.lines
	}
	return reply, err
}

// write writes the heads, whose ends it notes, and the lines. Both are slices of one string: one allocation a batch.
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

// definite reports whether a failed call certainly changed nothing: it was never sent, or Redis itself answered with an
// error, which it does before the script's first write.
func Definite(err error) bool {
	_, redisSaid := rueidis.IsRedisErr(err)
	return redisSaid || notSent(err)
}
