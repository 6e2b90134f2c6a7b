package bugs

// holdBugs are the bugs of freezes, thaws and extensions.
var holdBugs = []Bug{
	{
		Name: "frozen-expires", What: "orders of a frozen sale expire",
		Seeds: []Replacement{
			instead("ledger/status.go", `if row != nil && row.Frozen {`,
				`if row != nil && row.Frozen && !faults.Bug("frozen-expires") {`),
			instead("store/due.go", `if l.frozen[row.Sale] {`, `if l.frozen[row.Sale] && !faults.Bug("frozen-expires") {`),
		},
		Checks: []Check{check("store", "^TestFrozenOrdersDoNotExpire$"), simulated()},
	},
	{
		Name: "freeze-without-buckets", What: "a freeze does not lock the bucket rows, so that an expiry passes it",
		Seeds: []Replacement{
			before("store/holds.go", `if err := s.updateBuckets(ctx, tx, sqlFreezeBuckets,`,
				`if faults.Bug("freeze-without-buckets") { rows = nil }`),
		},
		Checks: []Check{check("store", "^TestExpiryThatFoundItsOrdersBeforeTheFreeze$")},
	},
	{
		Name: "expires-early", What: "orders expire half a second before their time is over",
		Seeds: []Replacement{
			instead("ledger/status.go", `.UnixMilli() <= nowMS`, `.UnixMilli() <= func() int64 {
	if faults.Bug("expires-early") { return nowMS + 500 }
	return nowMS
}()`),
		},
		Checks: []Check{check("ledger", "^TestExpires$"), simulated()},
	},
	{
		Name: "late-order-not-thawed", What: "an order that settles after a thaw does not get its time",
		Seeds: []Replacement{
			after("ledger/settle.go", `thawed := p.state.moved(b.Sale, created)`,
				`if faults.Bug("late-order-not-thawed") { thawed = 0 }`),
		},
		Checks: []Check{check("store", "^TestLateOrdersGetTheTimeOfTheThaw$"), check("ledger", "^TestPaymentTimeOfLateOrders$")},
	},
	{
		Name: "late-order-thawed-twice", What: "a thaw moves an order that has settled with its time already",
		Seeds: []Replacement{
			before("ledger/settle.go", `if row.PaymentTTL > 0 {`, `if faults.Bug("late-order-thawed-twice") { t.ThawNo = 0 }`),
		},
		Checks: []Check{check("store", "^TestLateOrdersGetTheTimeOfTheThaw$")},
	},
	{
		Name: "thaw-ends-early", What: "a thaw ends after its first page",
		Seeds: []Replacement{
			before("store/thaw.go", `if thaw.Shift > 0 { // otherwise no order moves`,
				`if faults.Bug("thaw-ends-early") && thaw.Moved { thaw.Moved, thaw.Shift = false, 0 }`),
		},
		Checks: []Check{check("store", "^TestThawInPiecesOfTime$")},
	},
	{
		Name: "extension-not-told", What: "an extension makes no event",
		Seeds: []Replacement{
			before("store/events.go", `text := make([]byte, 0, 40*len(orders))`,
				`if faults.Bug("extension-not-told") { return nil }`),
		},
		Checks: []Check{check("store", "^TestExtendOrder$")},
	},
	{
		Name: "events-tell-the-present", What: "an event from before an extension has the new payment time",
		Seeds: []Replacement{
			instead("store/events.go", `case o.firstPayBy != nil:`,
				`case o.firstPayBy != nil && !faults.Bug("events-tell-the-present"):`),
		},
		Checks: []Check{check("store", "^TestExtendOrder$")},
	},
	{
		Name: "silence-unnoticed", What: "the engine expires orders though no payment comes any more",
		Seeds: []Replacement{
			instead("ledger/holds.go", `return paidMS > 0 && nowMS`,
				`return !faults.Bug("silence-unnoticed") && paidMS > 0 && nowMS`),
		},
		Checks: []Check{check("store", "^TestExpiryFreezesWhatIsNoLongerPaid$"), check("ledger", "^TestSilent$")},
	},
}
