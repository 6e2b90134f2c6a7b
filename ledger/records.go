package ledger

import (
	"cmp"
	"maps"
	"slices"

	"flashsale/sale"
)

// Buckets returns the buckets whose rows a settlement of these records needs, sorted: those of the records and the receivers
// of the transfers.
func Buckets(records []sale.Record) []sale.Bucket {
	needed := map[sale.Bucket]bool{}
	for i := range records {
		switch r := &records[i]; {
		case r.Batch != nil:
			needed[r.Batch.Bucket] = true
		case r.Transfer != nil:
			needed[r.Transfer.Bucket], needed[r.Transfer.Receiver()] = true, true
		}
	}
	return slices.SortedFunc(maps.Keys(needed), compareBuckets)
}

// Shelves returns the shelves whose rows a settlement of these records needs, sorted: of each SKU in the bucket of its
// record, and of the SKUs of a transfer in the receiver too.
func Shelves(records []sale.Record) []sale.Shelf {
	needed := map[sale.Shelf]bool{}
	for i := range records {
		switch r := &records[i]; {
		case r.Batch != nil:
			addShelves(needed, r.Batch)
		case r.Transfer != nil:
			for _, u := range r.Transfer.Units {
				needed[sale.Shelf{Bucket: r.Transfer.Bucket, SKU: u.SKU}] = true
				needed[sale.Shelf{Bucket: r.Transfer.Receiver(), SKU: u.SKU}] = true
			}
		}
	}
	return slices.SortedFunc(maps.Keys(needed), func(a, b sale.Shelf) int {
		return cmp.Or(compareBuckets(a.Bucket, b.Bucket), cmp.Compare(a.SKU, b.SKU))
	})
}

func addShelves(needed map[sale.Shelf]bool, b *sale.Batch) {
	last := "" // most orders of a batch are of the SKU of the order before
	for i := range b.Orders {
		for _, line := range b.Orders[i].Lines {
			if line.SKU != last {
				last = line.SKU
				needed[sale.Shelf{Bucket: b.Bucket, SKU: last}] = true
			}
		}
	}
}

// OwnersOf returns the owners of the orders of batches, sorted, each once.
func OwnersOf(batches []*sale.Batch) []Owner {
	var owners []Owner
	for _, b := range batches {
		for i := range b.Orders {
			owners = append(owners, Owner{b.Sale, b.Orders[i].Buyer})
		}
	}
	return SortOwners(owners)
}

// SortOwners sorts owners in place and returns each once.
func SortOwners(owners []Owner) []Owner {
	slices.SortFunc(owners, func(a, b Owner) int {
		return cmp.Or(cmp.Compare(a.Sale, b.Sale), cmp.Compare(a.Buyer, b.Buyer))
	})
	return slices.Compact(owners)
}

func compareBuckets(a, b sale.Bucket) int {
	return cmp.Or(cmp.Compare(a.Sale, b.Sale), cmp.Compare(a.Number, b.Number))
}
