package scripts

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/rueidis"

	"flashsale/sale"
)

// Codes of the reserve script's reply; reserve.lua describes them.
const (
	CodeOK     = "ok"
	CodeWindow = "window"
	CodeLate   = "late"
	CodeFenced = "fenced"
)

// DetailNoScript is the detail of CodeFenced that the client adds for a server without the script.
const DetailNoScript = "noscript"

// AllTaken are the verdicts of a batch of which the script took every purchase.
const AllTaken = "all"

// ReserveCall is one call of the reserve script; reserve.lua describes its arguments.
type ReserveCall struct {
	Keys       BucketKeys
	Head       string // SALE NUMBER
	Clock      *Clock // of the server that holds the bucket
	Within     time.Duration
	Epoch      int64
	Highest    int64 // sequence seen in the epoch
	DeadlineMS int64 // by Redis's clock, Unix milliseconds; Reserve sets it
	AskedAgain bool  // an earlier call with the same order ids may have taken units
	MaxJournal int   // orders
	Grief      sale.Grief
	Trims      []Trim           // at most 64
	Purchases  []*sale.Purchase // at most sale.MaxRecordOrders with sale.MaxRecordLines lines, all with numbers
	OrderIDs   []sale.OrderID   // one for each purchase
}

// ReserveReply is the script's reply.
type ReserveReply struct {
	Code     string
	Detail   string
	Epoch    int64
	Sequence int64
	NowMS    int64
	EntryID  string
	Record   string
	Verdicts string
}

// Reserve calls the script once, with a deadline of call.Within by Redis's clock, and learns that clock from the reply. A
// server without the script answers fenced: it restarted or was promoted, and its data is in doubt until a rebuild. After an
// error that is not Definite, the call may have taken units, or may take them until its deadline.
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
	command := client.B().Evalsha().Sha1(arguments.sha).Numkeys(4).
		Key(call.Keys.all()...).Arg(arguments.of(call)...).Build()
	reply, err := arguments.replyOf(client.Do(ctx, command))
	if err == nil && reply.NowMS > 0 {
		call.Clock.Learn(sent, call.Clock.Reading(), time.Duration(reply.NowMS)*time.Millisecond+time.Millisecond/2)
	}
	return reply, err
}

// decodeReserve decodes a reply, and turns NOSCRIPT into the code fenced.
func decodeReserve(result rueidis.RedisResult) (ReserveReply, error) {
	if lacksIt(result) {
		return ReserveReply{Code: CodeFenced, Detail: DetailNoScript}, nil
	}
	values, err := result.ToArray()
	if err != nil {
		return ReserveReply{}, err
	}
	if len(values) != 9 {
		return ReserveReply{}, fmt.Errorf("reserve script answered %d values, not 9", len(values))
	}
	fields := fieldReader{values: values}
	reply := ReserveReply{
		Code: fields.text(0), Detail: fields.text(1), Epoch: fields.number(2), Sequence: fields.number(3),
		NowMS: fields.number(4), EntryID: fields.text(5), Record: fields.text(6) + fields.text(7), Verdicts: fields.text(8),
	}
	return reply, fields.err
}
