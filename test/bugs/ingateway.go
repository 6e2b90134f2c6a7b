package bugs

// gatewayBugs are the bugs in what the gateway and the operators' API answer.
var gatewayBugs = []Bug{
	{
		Name: "latch-never-opened", What: "a sold-out latch stays closed",
		Seeds: []Replacement{
			instead("gateway/latchjudge.go", `if shelf.Available > 0 || readings[n].Epoch == 0 || shelf.Number == 0 {`,
				`if (shelf.Available > 0 || readings[n].Epoch == 0 || shelf.Number == 0) && !faults.Bug("latch-never-opened") {`),
		},
		Checks: []Check{check("gateway", "^TestLatchClosesByTheVerdictAndOpensWhenStockIsBack$")},
	},
	{
		Name: "pause-not-applied", What: "pause is answered before Redis has it",
		Seeds: []Replacement{
			instead("admin/moves.go", `if s.State == sale.StateDraft {`,
				`if s.State == sale.StateDraft || s.State == sale.StatePaused && faults.Bug("pause-not-applied") {`),
		},
		Checks: []Check{check("admin", "^TestMovesFollowTheStates$")},
	},
	{
		Name: "cancel-foreign-order", What: "a buyer cancels the order of another buyer",
		Seeds: []Replacement{
			instead("gateway/orders.go", `return row.BuyerID == r.buyer && row.Sale`,
				`return (row.BuyerID == r.buyer || faults.Bug("cancel-foreign-order")) && row.Sale`),
			before("gateway/cancel.go", `cancelled, err := g.cancels.cancel(limit,`,
				`if faults.Bug("cancel-foreign-order") { r.buyer = "" }`), // an empty buyer is any
		},
		Checks: []Check{check("gateway", "^TestCancelOfAForeignOrder$")},
	},
}
