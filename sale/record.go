package sale

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// The record of a batch is text, so that an operator can read the topic with any console consumer:
//
//	fs2 batch SALE BUCKET EPOCH SEQUENCE BATCH_ID CREATED_MS COUNT\n
//	ORDER_ID LINES BUYER[ KEY]\n            COUNT times
//
// There is one space between fields and nothing after the last newline; numbers are decimal, without sign or leading zero.
// BUCKET is the number of the bucket, BATCH_ID the id of the first order. LINES are 1 to 20 lines SKU:QUANTITY:PRICE joined by
// a comma, where PRICE is the unit price in cents that the buyer was told. A key may contain spaces: it is the rest of its
// line. scripts/reserve.lua writes these bytes; the journal entry, the Kafka record and the input of settlement are the same
// bytes. The record of a fence is
//
//	fs2 fence TOKEN\n
//
// where TOKEN is an id that the rebuild chooses. The record of a transfer, written by scripts/transfer.lua, is
//
//	fs2 transfer SALE FROM EPOCH SEQUENCE TRANSFER_ID CREATED_MS TO SKU:UNITS[,SKU:UNITS...]\n
//
// where FROM and TO are bucket numbers of one sale. The first word is the version of the format.

// Limits of a record: DecodeRecord refuses a record beyond them.
const (
	MaxRecordBytes    = 1 << 20
	MaxRecordOrders   = 1000
	MaxRecordLines    = 2000                // of all orders together
	MaxCreatedMS      = 253_402_300_799_999 // 9999-12-31T23:59:59.999Z, the latest time of a database
	batchHeaderFields = 9
)

// RecordOrder is one order inside a batch.
type RecordOrder struct {
	OrderID OrderID
	Lines   []Line
	Buyer   string
	Key     string
}

// Batch is the accepted orders of one script call. They travel from Redis to the database together. The identity of a batch
// is (Bucket, Epoch, Sequence, BatchID).
type Batch struct {
	Bucket
	Epoch     int64
	Sequence  int64
	BatchID   OrderID
	CreatedMS int64 // Unix milliseconds by Redis's clock: the created_at of its orders
	Orders    []RecordOrder
}

// Record is one decoded record: a batch, a transfer, or a fence when both are nil.
type Record struct {
	Batch    *Batch
	Transfer *Transfer
	Fence    string
}

// ErrRecord is the error that every error of DecodeRecord wraps.
var ErrRecord = errors.New("record cannot be decoded")

func recordErr(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrRecord, fmt.Sprintf(format, args...))
}

// AppendBatch writes the record of a batch, as reserve.lua does in Lua. Tests, tools and the simulator use it.
func AppendBatch(dst []byte, b *Batch) []byte {
	dst = fmt.Appendf(dst, "fs2 batch %s %d %d %d %d %d %d\n",
		b.Sale, b.Number, b.Epoch, b.Sequence, b.BatchID, b.CreatedMS, len(b.Orders))
	for i := range b.Orders {
		dst = append(AppendOrderLine(dst, &b.Orders[i]), '\n')
	}
	return dst
}

// AppendOrderLine writes the line of one order without its newline. A gateway passes it to reserve.lua for each purchase.
func AppendOrderLine(dst []byte, o *RecordOrder) []byte {
	dst = strconv.AppendInt(dst, int64(o.OrderID), 10)
	dst = AppendLines(append(dst, ' '), o.Lines)
	dst = append(append(dst, ' '), o.Buyer...)
	if o.Key != "" {
		dst = append(append(dst, ' '), o.Key...)
	}
	return dst
}

// AppendFence writes the record of a fence; token must match the pattern of a sale id.
func AppendFence(dst []byte, token string) []byte {
	return append(append(append(dst, "fs2 fence "...), token...), '\n')
}

// RecordHeads returns how the records of a sale begin: its batches and its transfers. No record of another sale begins so.
func RecordHeads(saleID string) [][]byte {
	return [][]byte{[]byte("fs2 batch " + saleID + " "), []byte("fs2 transfer " + saleID + " ")}
}

// DecodeRecord reads a record and checks every limit. The result shares no memory with data. Every error wraps ErrRecord.
func DecodeRecord(data []byte) (Record, error) {
	if len(data) > MaxRecordBytes {
		return Record{}, recordErr("%d bytes are more than %d", len(data), MaxRecordBytes)
	}
	header, rest, ok := bytes.Cut(data, []byte{'\n'})
	if !ok {
		return Record{}, recordErr("no complete header line")
	}
	fields := bytes.SplitN(header, []byte{' '}, transferHeaderFields+1)
	if string(fields[0]) != "fs2" {
		return Record{}, recordErr("unknown version %.16q", fields[0])
	}
	switch {
	case len(fields) == 3 && string(fields[1]) == "fence" && len(rest) == 0:
		if !ValidID(fields[2]) {
			return Record{}, recordErr("fence token %.70q", fields[2])
		}
		return Record{Fence: string(fields[2])}, nil
	case len(fields) == batchHeaderFields && string(fields[1]) == "batch":
		batch, err := decodeBatch(fields, rest)
		return Record{Batch: batch}, err
	case len(fields) == transferHeaderFields && string(fields[1]) == "transfer" && len(rest) == 0:
		transfer, err := decodeTransfer(fields)
		return Record{Transfer: transfer}, err
	}
	return Record{}, recordErr("header of %d fields, kind %.16q", len(fields), fields[min(1, len(fields)-1)])
}

func decodeBatch(fields [][]byte, rest []byte) (*Batch, error) {
	if !ValidID(fields[2]) {
		return nil, recordErr("sale %.70q", fields[2])
	}
	var numbers [6]int64
	for i := range numbers {
		n, ok := decimal(fields[3+i])
		if !ok {
			return nil, recordErr("header number %.24q", fields[3+i])
		}
		numbers[i] = n
	}
	b := &Batch{
		Bucket: Bucket{Sale: string(fields[2]), Number: int(numbers[0])},
		Epoch:  numbers[1], Sequence: numbers[2], BatchID: OrderID(numbers[3]), CreatedMS: numbers[4],
	}
	count := numbers[5]
	if numbers[0] >= MaxBuckets || b.CreatedMS > MaxCreatedMS || count < 1 || count > MaxRecordOrders {
		return nil, recordErr("bucket %d, created_ms %d or count %d out of range", numbers[0], b.CreatedMS, count)
	}
	if err := b.decodeOrders(int(count), rest); err != nil {
		return nil, err
	}
	return b, nil
}

func (b *Batch) decodeOrders(count int, rest []byte) error {
	b.Orders = make([]RecordOrder, count)
	lines := make([]Line, 0, count) // of all orders; it grows when orders have several lines
	text := string(rest)            // one copy: buyers, keys and SKUs are parts of it
	for i := range b.Orders {
		end := strings.IndexByte(text, '\n')
		if end < 0 {
			return recordErr("it ends after %d of %d orders", i, count)
		}
		more, ok := decodeOrderLine(text[:end], &b.Orders[i], lines)
		if !ok {
			return recordErr("order %d: %.80q", i, text[:end])
		}
		lines, text = more, text[end+1:]
	}
	if len(text) != 0 {
		return recordErr("%d bytes after the last order", len(text))
	}
	if b.BatchID != b.Orders[0].OrderID {
		return recordErr("batch id %d is not the first order id %d", b.BatchID, b.Orders[0].OrderID)
	}
	if id, doubled := doubledOrder(b.Orders); doubled {
		return recordErr("order %d occurs twice", id)
	}
	return b.checkLines()
}

func (b *Batch) checkLines() error {
	lines := 0
	for i := range b.Orders {
		lines += len(b.Orders[i].Lines)
	}
	if lines > MaxRecordLines {
		return recordErr("%d lines are more than %d", lines, MaxRecordLines)
	}
	return nil
}

// doubledOrder finds an id that two orders share. If ids rise, as in most batches, it does not allocate.
func doubledOrder(orders []RecordOrder) (OrderID, bool) {
	rises := true
	for i := 1; i < len(orders) && rises; i++ {
		rises = orders[i-1].OrderID < orders[i].OrderID
	}
	if rises {
		return 0, false
	}
	seen := make(map[OrderID]struct{}, len(orders))
	for i := range orders {
		id := orders[i].OrderID
		if _, doubled := seen[id]; doubled {
			return id, true
		}
		seen[id] = struct{}{}
	}
	return 0, false
}

// decodeOrderLine appends the lines of the order to lines, of which o.Lines becomes a part.
func decodeOrderLine(line string, o *RecordOrder, lines []Line) ([]Line, bool) {
	var id, what string
	if id, line = cutSpace(line); line == "" {
		return lines, false
	}
	if what, line = cutSpace(line); line == "" {
		return lines, false
	}
	n, err := ParseOrderID(id)
	first := len(lines)
	lines, ok := ParseLines(lines, what)
	if err != nil || !ok {
		return lines, false
	}
	o.OrderID, o.Lines = n, lines[first:len(lines):len(lines)]
	if at := strings.IndexByte(line, ' '); at >= 0 {
		o.Buyer, o.Key = line[:at], line[at+1:]
		return lines, ValidBuyerID(o.Buyer) && quotable(o.Key)
	}
	o.Buyer = line
	return lines, ValidBuyerID(o.Buyer)
}

// decimal reads a non-negative integer in the form that AppendInt writes.
func decimal[T Text](text T) (int64, bool) {
	if len(text) == 0 || len(text) > 19 || (text[0] == '0' && len(text) > 1) {
		return 0, false
	}
	n, err := strconv.ParseUint(string(text), 10, 63)
	return int64(n), err == nil
}

func cutSpace(s string) (before, after string) {
	before, after, _ = strings.Cut(s, " ")
	return before, after
}
