package sale

import "time"

// MaxExtension is how far from now, at most, the payment time of one order can be extended.
const MaxExtension = 7 * 24 * time.Hour

// Thaw is the progress of the end of a freeze: the orders of the sale get the time that the freeze took. Whoever moves the
// orders passes the value that the last page returned.
type Thaw struct {
	Sale   string
	Number int64         // 1, 2, 3, … of the sale
	At     Time          // when the thaw began; it moves the orders that were made before
	Shift  time.Duration // by which their payment time moves

	// After is the place of the last order that this pass has looked at, and Moved reports whether the pass has moved orders.
	// A pass that has moved none ends the thaw.
	After DuePlace
	Moved bool
	Done  bool // the thaw has ended, and the sale is not frozen any more by this freeze
}

// DuePlace is a place in the orders by the end of their payment time. The zero value is before the first.
type DuePlace struct {
	DueAt Time
	Order OrderID
}

// Expiry is what one look for unpaid orders did.
type Expiry struct {
	Orders int      // that expired
	Frozen []string // sales that were frozen instead, because no payment comes any more
}

// UnpaidOrders are the confirmed orders of a sale whose payment time ends. Orders of a sale in which none expires are not among
// them.
type UnpaidOrders struct {
	Sale    string
	Orders  int64
	Overdue int64         // of these, whose payment time is over and that are to expire: none while the holds are frozen
	Oldest  time.Duration // since the end of the first of these
}
