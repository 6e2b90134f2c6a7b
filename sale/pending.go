package sale

import (
	"bytes"
	"strconv"
)

// PendingOrder is an order that is on its way to the database, as its record tells of it.
type PendingOrder struct {
	Bucket
	RecordOrder
	CreatedMS int64
	Status    OrderStatus // held or queued
}

// FindPending finds an order in the bytes of a record; ok is false when the record is no batch or does not hold it.
func FindPending(raw []byte, id OrderID) (found PendingOrder, ok bool) {
	if !bytes.Contains(raw, strconv.AppendInt([]byte{'\n'}, int64(id), 10)) { // nearly every record, without decoding it
		return found, false
	}
	record, err := DecodeRecord(raw)
	if err != nil || record.Batch == nil { // what cannot be decoded ends in the dead letters, which are looked at elsewhere
		return found, false
	}
	for _, o := range record.Batch.Orders {
		if o.OrderID == id {
			return PendingOrder{Bucket: record.Batch.Bucket, RecordOrder: o, CreatedMS: record.Batch.CreatedMS}, true
		}
	}
	return found, false
}

// Order returns the order as buyers see it before its row is there. The sale is the one that sells it; without its item the
// price is unknown and 0.
func (p *PendingOrder) Order(s *Sale) Order {
	created := TimeMillis(p.CreatedMS)
	order := Order{
		OrderID: p.OrderID, Status: p.Status, Sale: p.Sale, SKU: p.SKU, Quantity: p.Quantity, Currency: s.Currency,
		CreatedAt: created, UpdatedAt: created, PayBy: PayBy(created.Time, s.PaymentTTL), BuyerID: p.Buyer,
	}
	for i := range s.Items {
		if s.Items[i].SKU == p.SKU {
			order.UnitPriceCents = s.Items[i].PriceCents
		}
	}
	return order
}
