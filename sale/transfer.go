package sale

import "fmt"

// Transfer moves units of one or more SKUs from one bucket of a sale to another. A script takes them from the giving bucket
// in Redis and adds one journal entry, settlement moves them in the database, and the outbox credits them to the receiving
// bucket. Its identity is like that of a batch: (Bucket, Epoch, Sequence, TransferID).
type Transfer struct {
	Bucket     // the giving bucket
	Epoch      int64
	Sequence   int64
	TransferID OrderID // from the generator of order ids, so that no order has it
	CreatedMS  int64   // Unix milliseconds by Redis's clock
	To         int     // number of the receiving bucket
	Units      []SKUUnits
}

const transferHeaderFields = 10

// Receiver names the receiving bucket.
func (t *Transfer) Receiver() Bucket { return Bucket{Sale: t.Sale, Number: t.To} }

// AppendTransfer writes the record of a transfer, as transfer.lua does in Lua.
func AppendTransfer(dst []byte, t *Transfer) []byte {
	dst = fmt.Appendf(dst, "fs2 transfer %s %d %d %d %d %d %d ",
		t.Sale, t.Number, t.Epoch, t.Sequence, t.TransferID, t.CreatedMS, t.To)
	return append(AppendUnits(dst, t.Units), '\n')
}

func decodeTransfer(fields [][]byte) (*Transfer, error) {
	if !ValidID(fields[2]) {
		return nil, recordErr("sale %.70q", fields[2])
	}
	var numbers [6]int64
	for i := range numbers {
		n, ok := decimal(fields[3+i])
		if !ok {
			return nil, recordErr("transfer's number %.24q", fields[3+i])
		}
		numbers[i] = n
	}
	units, ok := ParseUnits(string(fields[9]))
	if !ok {
		return nil, recordErr("transfer's units %.80q", fields[9])
	}
	t := &Transfer{
		Bucket: Bucket{Sale: string(fields[2]), Number: int(numbers[0])},
		Epoch:  numbers[1], Sequence: numbers[2], TransferID: OrderID(numbers[3]), CreatedMS: numbers[4],
		To: int(numbers[5]), Units: units,
	}
	if numbers[0] >= MaxBuckets || numbers[5] >= MaxBuckets || t.To == t.Number || t.CreatedMS > MaxCreatedMS ||
		t.TransferID <= 0 {
		return nil, recordErr("transfer from bucket %d to %d, created_ms %d, id %d: out of range",
			numbers[0], numbers[5], t.CreatedMS, t.TransferID)
	}
	return t, nil
}
