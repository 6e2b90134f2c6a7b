package protocol

// settleOrder decides one order and reports whether Redis and the database agree about it.
func (x *expansion) settleOrder(t *State, row *row, o uint8, late bool) bool {
	lines := x.press(t, o).lines
	if !x.keeps(LinesWholeInBooks) {
		lines = x.fitting(row, lines)
	}
	switch {
	case t.status[o] != absent && x.keeps(OrderOnce):
		return late
	case late && x.keeps(LateIsRefused):
		t.status[o] = refused
		return true
	case (!x.fits(row, lines) || lines == units{}) && x.keeps(StockGuard):
		t.status[o] = refused
		return false
	case !x.allowed(t, o) && x.keeps(LimitGuard):
		t.status[o] = refused
		return false
	case x.keyUsed(t, o) && x.keeps(KeyOnceInBooks):
		t.status[o] = refused
		return false
	}
	t.status[o] = confirmed
	row.settled = row.settled.plus(lines)
	return true
}

// fits is the guard of the stock rows.
func (x *expansion) fits(row *row, lines units) bool {
	settled := row.settled.plus(lines)
	if x.keeps(GuardWithReleased) {
		settled = settled.minus(row.released)
	}
	return row.loaded.covers(settled)
}

// fitting is the lines of an order that fit, each by itself.
func (x *expansion) fitting(row *row, lines units) units {
	for sku := range lines {
		if !x.fits(row, lines.only(1<<sku)) {
			lines[sku] = 0
		}
	}
	return lines
}

// allowed is decided from the rows of the buyer: what counts of them never exceeds the limit of a SKU or of the sale.
func (x *expansion) allowed(t *State, o uint8) bool {
	press := x.press(t, o)
	bought := press.lines
	for other := uint8(1); other <= t.orders; other++ {
		if other != o && t.status[other] == confirmed && x.press(t, other).buyer == press.buyer {
			bought = bought.plus(x.press(t, other).lines)
		}
	}
	return x.within(bought)
}

func (x *expansion) within(bought units) bool {
	each := units{int8(x.Limit), int8(x.Limit)}.covers(bought)
	return each && (x.SaleLimit == 0 || bought.all() <= x.SaleLimit || !x.keeps(SaleLimitInBooks))
}

// keyUsed reports whether another order that was not refused came from the same key of the same buyer.
func (x *expansion) keyUsed(t *State, o uint8) bool {
	press := x.press(t, o)
	for other := uint8(1); press.key != 0 && other <= t.orders; other++ {
		p := x.press(t, other)
		if other != o && p.buyer == press.buyer && p.key == press.key &&
			(t.status[other] == confirmed || t.status[other] == cancelled) {
			return true
		}
	}
	return false
}
