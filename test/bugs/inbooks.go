package bugs

// bookBugs are the bugs in the effect of a record on the database, which ledger decides and store writes.
var bookBugs = []Bug{
	{
		Name: "limit-not-counted", What: "nothing stops a row beyond the limit",
		Seeds: []Replacement{
			after("ledger/settle.go", `func (p *Plan) allows(o *Order, row *Row, bought *Bought) bool {`,
				`if faults.Bug("limit-not-counted") { return true }`),
		},
		Checks: []Check{check("store", "^TestNeverBeyondTheLimit$")},
	},
	{
		Name: "marker-without-batch-id", What: "another batch at a settled place passes for the same",
		Seeds: []Replacement{
			before("ledger/state.go", `return marked && (id == m.ID || s.Forks[m])`,
				`if faults.Bug("marker-without-batch-id") { return marked }`),
			before("ledger/state.go", `for i := range batch.Orders {`,
				`if faults.Bug("marker-without-batch-id") { return true }`),
		},
		Checks: []Check{check("store", "^TestForkSettlesAndClosesTheBucket$")},
	},
	{
		Name: "duplicate-not-whole", What: "a marker covers orders that were added under its identity later",
		Seeds: []Replacement{
			before("ledger/state.go", `for i := range batch.Orders {`, `if faults.Bug("duplicate-not-whole") { return true }`),
		},
		Checks: []Check{check("store", "^TestMarkedBatchWithMoreOrders$")},
	},
	{
		Name: "key-twice-in-books", What: "two orders of one key are confirmed",
		Seeds: []Replacement{
			instead("ledger/settle.go", `case o.Key != "" && bought.Keys[o.Key]:`,
				`case o.Key != "" && bought.Keys[o.Key] && !faults.Bug("key-twice-in-books"):`),
		},
		Checks: []Check{check("store", "^TestKeyMakesOneOrder$")},
	},
	{
		Name: "guard-missing", What: "nothing stops rows beyond loaded",
		Seeds: []Replacement{
			after("ledger/settle.go", `shelf := p.ordered[i].units`,
				`if faults.Bug("guard-missing") { return true }`),
			before("store/plan_stock.go", `b = append(appendUnits(b, group, (*ledger.Gain).Needs), " <= loaded)"...)`,
				`if faults.Bug("guard-missing") {
	b = append(b, "(-2147483648) <= loaded)"...)
	continue
}`),
		},
		Checks: []Check{check("store", "^TestNeverBeyondLoaded$")},
	},
	{
		Name: "guard-without-released", What: "released units are never sold again",
		Seeds: []Replacement{
			after("ledger/settle.go", `shelf := p.ordered[i].units`,
				`if faults.Bug("guard-without-released") && shelf.Settled+int64(o.Lines[i].Quantity) > shelf.Loaded {
	return false
}`),
		},
		Checks: []Check{check("store", "^TestCancelGivesUnitsBackOnce$"), simulated()},
	},
	{
		Name: "late-settled", What: "a batch of an earlier epoch settles",
		Seeds: []Replacement{
			after("ledger/settle.go", `row, late := at.row, at.late`, `if faults.Bug("late-settled") { late = false }`),
		},
		Checks: []Check{check("store", "^TestLateBatchIsRefused$")},
	},
	{
		Name: "late-not-recorded", What: "a batch of an earlier epoch leaves no trace",
		Seeds: []Replacement{
			after("ledger/settle.go", `row, late := at.row, at.late`, `if late && faults.Bug("late-not-recorded") { return }`),
		},
		Checks: []Check{check("store", "^TestLateBatchIsRefused$")},
	},
	{
		Name: "fork-skipped", What: "the second batch at a place is dropped",
		Seeds: []Replacement{
			after("ledger/settle.go", `row, late := at.row, at.late`, `if at.fork && faults.Bug("fork-skipped") { return }`),
		},
		Checks: []Check{check("store", "^TestForkSettlesAndClosesTheBucket$")},
	},
	{
		Name: "fence-position-decides", What: "a batch behind a fence is late",
		Seeds: []Replacement{before("store/settle.go", `work.records, work.index = append(`,
			`if record.Batch != nil && len(work.fences) > 0 && faults.Bug("fence-position-decides") {
	late := *record.Batch
	late.Epoch--
	record.Batch = &late
}`)},
		Checks: []Check{check("store", "^TestFencesDecideNothing$")},
	},
	{
		Name: "payment-before-row", What: "settlement looks for remembered payments before it writes the rows",
		Seeds: []Replacement{before("store/plan_write.go", `writes := []func() error{`, `if faults.Bug("payment-before-row") {
	if err := paying(); err != nil { return err }
}`)},
		Checks: []Check{check("store", "^TestRememberedPaymentWins$")},
	},
	{
		Name: "expire-paid", What: "paid orders expire",
		Seeds: []Replacement{
			instead("ledger/status.go", `return o.Status == sale.StatusConfirmed && o.PayBy`,
				`return (o.Status == sale.StatusConfirmed ||
		o.Status == sale.StatusPaid && faults.Bug("expire-paid")) && o.PayBy`),
			before("store/orders_move.go", `if err := changeExactly(ctx, tx, 1, "order rows", pay,`,
				`if faults.Bug("expire-paid") {
	pay = "UPDATE orders"+s.dialect.forced+" SET status = 'paid', payment_id = ?, updated_at = ? WHERE order_id = ?"
}`),
			before("store/orders_write.go", `if err := changeExactly(ctx, tx, len(chunk), "order rows", statement, args)`,
				`if faults.Bug("expire-paid") { statement = strings.Replace(statement, stillConfirmed, "", 1) }`),
		},
		Checks: []Check{check("store", "^TestExpireWhatIsDue$"), simulated()},
	},
	{
		Name: "cancel-twice-releases", What: "a second cancellation gives units back again",
		Seeds: []Replacement{
			after("ledger/status.go", `case sale.StatusCancelled:`,
				`if faults.Bug("cancel-twice-releases") { return true, nil }`),
			before("store/orders_write.go", `if err := changeExactly(ctx, tx, len(chunk), "order rows", statement, args)`,
				`if faults.Bug("cancel-twice-releases") { statement = strings.Replace(statement, stillConfirmed, "", 1) }`),
		},
		Checks: []Check{check("store", "^TestCancelGivesUnitsBackOnce$"), simulated()},
	},
	{
		Name: "outbox-not-absorbed", What: "a rebuild leaves the outbox as it is",
		Seeds: []Replacement{instead("store/rebuild.go", `func() error { return s.absorbOutbox(ctx, tx, began.buckets()) },`,
			`func() error {
	if !faults.Bug("outbox-not-absorbed") { return s.absorbOutbox(ctx, tx, began.buckets()) }
	for chunk := range slices.Chunk(began.buckets(), maxTerms) {
		statement := "UPDATE outbox SET epoch = epoch + 1 WHERE " + inKeys(len(chunk))
		result, err := tx.ExecContext(ctx, statement, keyArgs(nil, chunk)...)
		if err != nil { return err }
		open, err := result.RowsAffected()
		if err != nil { return err }
		began.loads[0].Outbox -= open
	}
	return nil
},`)},
		Checks: []Check{check("store", "^TestOutboxIsAbsorbedByARebuild$")},
	},
	{
		Name: "transfer-late-moves", What: "a transfer of an earlier epoch moves units",
		Seeds: []Replacement{
			instead("ledger/transfer.go", `if at.late {`, `if at.late && !faults.Bug("transfer-late-moves") {`),
		},
		Checks: []Check{check("store", "^TestLateTransferMovesNothing$")},
	},
	{
		Name: "offset-before-rows", What: "the position is committed before the rows",
		Seeds: []Replacement{before("store/settle.go", `done, err := s.settle(ctx, work, false)`,
			`if faults.Bug("offset-before-rows") {
	err := s.transact(ctx, func(tx *sql.Tx) error { return s.writePositions(ctx, tx, work.positions) })
	if err != nil { return sale.Settlement{}, err }
}`)},
		Checks: []Check{check("store", "^TestPositionsAreCommittedWithTheRows$")},
	},
	{
		Name: "line-not-settled", What: "of an order of several lines the last one is dropped",
		Seeds: []Replacement{before("ledger/settle.go", `terms := p.termsOf(b, row)`, `if faults.Bug("line-not-settled") {
	for i := range b.Orders {
		if lines := b.Orders[i].Lines; len(lines) > 1 { b.Orders[i].Lines = lines[:len(lines)-1] }
	}
}`)},
		Checks: []Check{check("store", "^TestOrderOfSeveralLines$"), simulated()},
	},
	{
		Name: "sale-limit-not-counted", What: "the limit of the sale counts the units of one order",
		Seeds: []Replacement{
			before("ledger/settle.go", `return row.SaleLimit == 0 || bought.total()`,
				`if faults.Bug("sale-limit-not-counted") {
	return row.SaleLimit == 0 || sale.UnitsOf(o.Lines) <= row.SaleLimit
}`),
		},
		Checks: []Check{check("ledger", "^TestOrdersOfSeveralLinesAreWhole$"), drawn("ledger", "^TestPlansKeepThePromise$")},
	},
	{
		Name: "paid-before-its-row", What: "an order whose payment came before its row is not counted as paid",
		Seeds: []Replacement{
			before("store/remember.go", `var orders []sale.Order
	for chunk`, `if faults.Bug("paid-before-its-row") { return nil }`),
		},
		Checks: []Check{check("store", "^TestPaidUnitsCountEveryPaymentOnce$")},
	},
	{
		Name: "units-of-another-sku", What: "a transfer of several SKUs credits the units of each to the first one",
		Seeds: []Replacement{
			instead("ledger/transfer.go", `lines[i] = p.state.shelf(row.Bucket, u.SKU).line(u.Units)`,
				`of := u.SKU
if faults.Bug("units-of-another-sku") { of = units[0].SKU }
lines[i] = p.state.shelf(row.Bucket, of).line(u.Units)`),
		},
		Checks: []Check{check("store", "^TestTransferOfSeveralSKUs$"), simulated()},
	},
	{
		Name: "change-counted-twice", What: "a change of the stock that is repeated with its key adds the units again",
		Seeds: []Replacement{
			instead("store/stock_changes.go", `case change.Done:`,
				`case change.Done && !faults.Bug("change-counted-twice"):`),
			instead("ledger/stock.go", `if c.Done {`, `if c.Done && !faults.Bug("change-counted-twice") {`),
		},
		Checks: []Check{check("store", "^TestRaiseIsLoadedAtOnce$")},
	},
	{
		Name: "found-not-subtracted", What: "what a take found stays among the loaded units",
		Seeds: []Replacement{
			instead("ledger/applied.go", `p.load(row, line.SKU, -found[i])`,
				`if !faults.Bug("found-not-subtracted") { p.load(row, line.SKU, -found[i]) }`),
		},
		Checks: []Check{check("store", "^TestTakeAsksOn$"), simulated()},
	},
}
