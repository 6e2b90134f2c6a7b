package admin

import "flashsale/sale"

// skuPositions are the places of one SKU's units: one in each bucket.
type skuPositions struct {
	sku    string
	places []place
}

type place struct {
	bucket *position
	units  *shelf
}

// bySKU groups the units in the order of the sale's items; a SKU that was never preloaded has no places. SKUs that the
// sale does not have follow: they were added while the stores were read, or Redis has units without a source.
func bySKU(s *sale.Sale, positions []position) []skuPositions {
	groups := make([]skuPositions, len(s.Items))
	index := make(map[string]int, len(s.Items))
	places := make([]place, len(s.Items)*len(positions)) // one array: a sale has up to sale.MaxShelves of them
	for i := range s.Items {
		groups[i].sku, index[s.Items[i].SKU] = s.Items[i].SKU, i
		groups[i].places = places[i*len(positions) : i*len(positions) : (i+1)*len(positions)]
	}
	for i := range positions {
		for j := range positions[i].shelves {
			units := &positions[i].shelves[j]
			at, known := index[units.sku]
			if !known {
				at = len(groups)
				index[units.sku] = at
				groups = append(groups, skuPositions{sku: units.sku})
			}
			groups[at].places = append(groups[at].places, place{&positions[i], units})
		}
	}
	return groups
}

// total adds up the SKU's units.
func (g *skuPositions) total() sale.Stock {
	var sum sale.Stock
	for i := range g.places {
		sum = sum.Add(g.places[i].units.Stock)
	}
	return sum
}

// coherent reports whether every bucket's numbers belong together.
func (g *skuPositions) coherent() bool {
	for i := range g.places {
		if !g.places[i].bucket.Coherent {
			return false
		}
	}
	return true
}

// totalOf adds up a sale's units, and reports whether the equation holds for every SKU and so for the sale. The sum alone
// would hide units that one SKU has too few and another too many.
func totalOf(groups []skuPositions) (sum sale.Stock, holds bool) {
	holds = true
	for i := range groups {
		one := groups[i].total()
		sum, holds = sum.Add(one), holds && one.Holds()
	}
	return sum, holds && sum.Holds()
}
