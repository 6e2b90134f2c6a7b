package sale

import (
	"fmt"
	"testing"
)

// BenchmarkRecord writes and reads the record of a batch, with keys in the recommended form and buyer ids of 36 characters.
func BenchmarkRecord(b *testing.B) {
	for _, orders := range []int{1, 32, 256} {
		batch := Batch{
			Bucket: Bucket{Sale: "spring"}, Epoch: 1, Sequence: 7, BatchID: 117_000_000_000_000_000,
			CreatedMS: 1_790_000_000_000,
		}
		for i := range orders {
			batch.Orders = append(batch.Orders, RecordOrder{
				OrderID: batch.BatchID + OrderID(i), Lines: []Line{{SKU: "phone", Quantity: 1, UnitPriceCents: 129900}},
				Buyer: fmt.Sprintf("0191f2a4-7c3e-7d90-b1aa-%012d", i), Key: fmt.Sprintf("press-%d", i),
			})
		}
		data := AppendBatch(nil, &batch)
		b.Run(fmt.Sprintf("write/%d", orders), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				data = AppendBatch(data[:0], &batch)
			}
			perOrder(b, orders)
		})
		b.Run(fmt.Sprintf("read/%d", orders), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := DecodeRecord(data); err != nil {
					b.Fatal(err)
				}
			}
			perOrder(b, orders)
		})
	}
}

func perOrder(b *testing.B, orders int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*orders), "ns/order")
}
