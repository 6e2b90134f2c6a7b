package ledger

import "flashsale/sale"

// SpreadRaise spreads units to add over the buckets of a sale, of which each has loaded units of the SKU. It raises each
// towards its even share, the buckets with lower numbers first, and takes from none.
func SpreadRaise(units int64, loaded []int64) []int64 {
	total := units
	for _, n := range loaded {
		total += n
	}
	spread := make([]int64, len(loaded))
	for number, n := range loaded {
		spread[number] = max(min(sale.BucketStock(total, number, len(loaded))-n, units), 0)
		units -= spread[number]
	}
	return spread
}

// SpreadTake spreads units to take back over the buckets of a sale, of which each has free units of the SKU. It lowers each
// towards its even share of what stays, the buckets with lower numbers first. If fewer units are free, it takes all of them.
func SpreadTake(units int64, free []int64) []int64 {
	stays := -units
	for _, n := range free {
		stays += max(n, 0)
	}
	stays = max(stays, 0)
	spread := make([]int64, len(free))
	for number, n := range free {
		spread[number] = max(min(n-sale.BucketStock(stays, number, len(free)), units), 0)
		units -= spread[number]
	}
	return spread
}
