package reserve

// pendingTransfers are the transfers that are not known to be settled yet, by what they are for. A shelf has at most one of
// each giving bucket, because nothing is sent after them; those of a SKU that nobody asks for any more stay until somebody does.
type pendingTransfers map[receivingShelf][]pendingTransfer

// receivingShelf is the SKU of a bucket that gets units.
type receivingShelf struct {
	to  int
	sku string
}

// pendingTransfer is what a transfer took of one SKU.
type pendingTransfer struct {
	from  int
	epoch int64 // of the giving bucket
	moved int64 // units of the SKU that transfers have taken from it, including these
}

func (p pendingTransfers) add(to int, sku string, t pendingTransfer) {
	at := receivingShelf{to, sku}
	p[at] = append(p[at], t)
}

// on reports whether units of a SKU are on their way to a bucket, as far as this gateway knows.
func (p pendingTransfers) on(to, column int, s *stockSnapshot) bool {
	at := receivingShelf{to, s.skus[column]}
	if p.unsettled(at, column, s) {
		return true
	}
	return s.counters[to].Shelves[column].GivenEpoch > s.readings[to].Shelves[column].Returned
}

// unsettled forgets the transfers that the database has settled, or whose epoch is over, and reports whether any is left: its
// giving bucket is in the same epoch, and the database has moved fewer units of the SKU from it.
func (p pendingTransfers) unsettled(at receivingShelf, column int, s *stockSnapshot) bool {
	kept := p[at][:0]
	for _, t := range p[at] {
		if c := &s.counters[t.from]; c.Epoch == t.epoch && c.Shelves[column].MovedEpoch < t.moved {
			kept = append(kept, t)
		}
	}
	if len(kept) == 0 {
		delete(p, at)
		return false
	}
	p[at] = kept
	return true
}
