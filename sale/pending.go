package sale

import (
	"bytes"
	"strconv"
)

// PendingOrder is an order that has no row in the database yet, read from its record.
type PendingOrder struct {
	Bucket
	RecordOrder
	CreatedMS int64
	Status    OrderStatus // held or queued
}

// FindPending finds an order in the bytes of a record; ok is false if the record is not a batch or does not contain it.
func FindPending(raw []byte, id OrderID) (found PendingOrder, ok bool) {
	if !bytes.Contains(raw, strconv.AppendInt([]byte{'\n'}, int64(id), 10)) { // passes over most records without decoding
		return found, false
	}
	record, err := DecodeRecord(raw)
	if err != nil || record.Batch == nil { // an undecodable record becomes a dead letter, which its caller reads elsewhere
		return found, false
	}
	for _, o := range record.Batch.Orders {
		if o.OrderID == id {
			return PendingOrder{Bucket: record.Batch.Bucket, RecordOrder: o, CreatedMS: record.Batch.CreatedMS}, true
		}
	}
	return found, false
}

// Order returns the order as buyers see it before it has a row. s is the sale of the order.
func (p *PendingOrder) Order(s *Sale) Order {
	created := TimeMillis(p.CreatedMS)
	return Order{
		OrderID: p.OrderID, Status: p.Status, Sale: p.Sale, Lines: p.Lines, Currency: s.Currency,
		CreatedAt: created, UpdatedAt: created, PayBy: PayBy(created.Time, s.PaymentTTL), BuyerID: p.Buyer,
	}
}
