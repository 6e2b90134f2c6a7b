package check

// checkConservation: at rest the stock equation holds, nothing is in flight, and each counter equals the units of its rows.
func checkConservation(e *Evidence, r *report) {
	settled, released := map[item]int64{}, map[item]int64{}
	for i := range e.Rows {
		row := &e.Rows[i]
		for _, line := range row.Lines {
			of := item{row.Sale, line.SKU}
			if row.Status != "refused" {
				settled[of] += int64(line.Quantity)
			}
			if row.returned() {
				released[of] += int64(line.Quantity)
			}
		}
	}
	for _, s := range e.Stock {
		of := item{s.Sale, s.SKU}
		switch {
		case !s.Holds():
			r.fault("%s/%s: loaded %d, available %d, in flight %d, settled %d, released %d: off by %d", s.Sale, s.SKU, s.Loaded,
				s.Available, s.InFlight, s.Settled, s.Released, s.Difference())
		case s.InFlight != 0:
			r.fault("%s/%s: %d units in flight at rest", s.Sale, s.SKU, s.InFlight)
		case s.Loaded != e.Sales[s.Sale].Loaded[s.SKU]:
			r.fault("%s/%s: %d units loaded, the operator gave %d", s.Sale, s.SKU, s.Loaded, e.Sales[s.Sale].Loaded[s.SKU])
		case s.Settled-s.Released != settled[of]-released[of]:
			r.fault("%s/%s: settled %d and released %d, by the rows %d and %d", s.Sale, s.SKU, s.Settled, s.Released,
				settled[of], released[of])
		}
	}
	for id, reason := range e.Paused {
		r.fault("the engine paused %s: %s", id, reason)
	}
	r.count("SKUs", len(e.Stock))
}

// checkUndersell: an SKU that buyers asked for until nothing was left is sold to the last unit.
func checkUndersell(e *Evidence, r *report) {
	standing := e.standing()
	for id, s := range e.Sales {
		for sku, wanted := range s.Demand {
			if units := standing[item{id, sku}]; wanted && units < s.Loaded[sku] {
				r.fault("%s/%s: %d of %d units sold, though there was demand for all", id, sku, units, s.Loaded[sku])
			}
		}
	}
	for _, s := range e.Stock {
		if e.Sales[s.Sale].Demand[s.SKU] && s.Available != 0 {
			r.fault("%s/%s: %d units are left, though there was demand for all", s.Sale, s.SKU, s.Available)
		}
	}
}

// checkWindow: every order was taken inside the sale's window.
func checkWindow(e *Evidence, r *report) {
	for i := range e.Rows {
		row := &e.Rows[i]
		if s := e.Sales[row.Sale]; row.CreatedMS < s.StartsMS || row.CreatedMS >= s.EndsMS {
			r.fault("order %s was taken at %d, the sale goes from %d to %d", row.Order, row.CreatedMS, s.StartsMS, s.EndsMS)
		}
	}
	for _, b := range e.Batches {
		if s, ours := e.Sales[b.Sale]; ours && (b.CreatedMS < s.StartsMS || b.CreatedMS >= s.EndsMS) {
			r.fault("batch of %v was taken at %d, the sale goes from %d to %d", b.Orders, b.CreatedMS, s.StartsMS, s.EndsMS)
		}
	}
}

// checkEpochs: once the database was seen in an epoch, no order is taken in an earlier one. A Redis that went back may take
// orders; they are lost with its writes, or refused.
func checkEpochs(e *Evidence, r *report) {
	type life struct {
		sale   string
		bucket int
		epoch  int64
	}
	seen := map[life]int64{} // the first moment at which the epoch was seen
	for _, s := range e.Epochs {
		at := life{s.Sale, s.Bucket, s.Epoch}
		if first, known := seen[at]; !known || s.AtUS < first {
			seen[at] = s.AtUS
		}
	}
	rows := e.rowsByID()
	for _, b := range e.Batches {
		if e.lost(b.CreatedMS*1000) && refused(b.Orders, rows) {
			continue
		}
		for at, first := range seen {
			if at.sale == b.Sale && at.bucket == b.Bucket && at.epoch > b.Epoch && b.CreatedMS*1000 > first {
				r.fault("batch of %v was taken in epoch %d of %s/%d at %d us, epoch %d was there at %d us", b.Orders, b.Epoch,
					b.Sale, b.Bucket, b.CreatedMS*1000, at.epoch, first)
			}
		}
	}
	r.count("batches", len(e.Batches))
	r.count("epochs", len(seen))
}

// refused reports whether every order of a batch has a refused row.
func refused(orders []string, rows map[string]*Row) bool {
	for _, id := range orders {
		if row := rows[id]; row == nil || row.Status != "refused" {
			return false
		}
	}
	return true
}
