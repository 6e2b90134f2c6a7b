package sale

import "fmt"

// Transfer moves units from one bucket of a SKU to another. A script takes them from the giving bucket in Redis and adds one
// journal entry, settlement moves them in the database, and the outbox credits them to the receiving bucket. Its identity
// is like that of a batch: (Bucket, Epoch, Sequence, TransferID).
type Transfer struct {
	Bucket     // the giving bucket
	Epoch      int64
	Sequence   int64
	TransferID OrderID // from the generator of order ids, so that no order has it
	CreatedMS  int64   // Unix milliseconds by Redis's clock
	To         int     // number of the receiving bucket
	Units      int64   // 1 to MaxStock
}

const transferHeaderFields = 11

// Receiver names the receiving bucket.
func (t *Transfer) Receiver() Bucket { return Bucket{Sale: t.Sale, SKU: t.SKU, Number: t.To} }

// AppendTransfer writes the record of a transfer, as transfer.lua does in Lua.
func AppendTransfer(dst []byte, t *Transfer) []byte {
	return fmt.Appendf(dst, "fs1 transfer %s %s %d %d %d %d %d %d %d\n",
		t.Sale, t.SKU, t.Number, t.Epoch, t.Sequence, t.TransferID, t.CreatedMS, t.To, t.Units)
}

func decodeTransfer(fields [][]byte) (*Transfer, error) {
	if !ValidID(fields[2]) || !ValidID(fields[3]) {
		return nil, recordErr("sale %.70q or SKU %.70q", fields[2], fields[3])
	}
	var numbers [7]int64
	for i := range numbers {
		n, ok := decimal(fields[4+i])
		if !ok {
			return nil, recordErr("transfer's number %.24q", fields[4+i])
		}
		numbers[i] = n
	}
	t := &Transfer{
		Bucket: Bucket{Sale: string(fields[2]), SKU: string(fields[3]), Number: int(numbers[0])},
		Epoch:  numbers[1], Sequence: numbers[2], TransferID: OrderID(numbers[3]), CreatedMS: numbers[4],
		To: int(numbers[5]), Units: numbers[6],
	}
	if numbers[0] >= MaxBuckets || numbers[5] >= MaxBuckets || t.To == t.Number || t.CreatedMS > MaxCreatedMS ||
		t.TransferID <= 0 || t.Units < 1 || t.Units > MaxStock {
		return nil, recordErr("transfer from bucket %d to %d of %d units, created_ms %d, id %d: out of range",
			numbers[0], numbers[5], t.Units, t.CreatedMS, t.TransferID)
	}
	return t, nil
}
