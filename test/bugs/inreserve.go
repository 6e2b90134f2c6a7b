package bugs

// reserveBugs are the bugs between the press and the answer.
var reserveBugs = []Bug{
	{
		Name: "eval-fallback", What: "a server without the script gets it from the process that calls it",
		Seeds: []Replacement{instead("reserve/call.go", `return arguments.replyOf(client.Do(ctx, command))`,
			`result := client.Do(ctx, command)
	if faults.Bug("eval-fallback") && lacksIt(result) {
		result = client.Do(ctx, client.B().Eval().Script(scripts.Reserve().Source).Numkeys(3).
			Key(call.keys.meta, call.keys.buyers, call.keys.journal).Arg(arguments.of(call)...).Build())
	}
	return arguments.replyOf(result)`)},
		Checks: []Check{check("reserve", "^TestServerWithoutTheScriptSellsNothing$")},
	},
	{
		Name: "node-id-reused", What: "a node id is used before its high-water mark has passed",
		Seeds: []Replacement{
			instead("reserve/orderids.go", `asked.UnixMilli(); behind >= 0 {`,
				`asked.UnixMilli(); behind >= 0 && !faults.Bug("node-id-reused") {`),
		},
		Checks: []Check{check("reserve", "^TestOrderIDsWaitForTheMark$")},
	},
	{
		Name: "answer-before-ack", What: "queued is answered before Kafka has acknowledged",
		Seeds: []Replacement{instead("reserve/parcel.go", "\tdefault:\n\t}", `default:
		if faults.Bug("answer-before-ack") {
			outcome = sale.OutcomeQueued
		}
	}`)},
		Checks: []Check{check("reserve", "^TestEngineHoldsWhileKafkaIsAway$")},
	},
	{
		Name: "give-back-on-timeout", What: "units are given back when Kafka is slow",
		Seeds: []Replacement{after("reserve/parcel.go", `f.patience.timedOut()`, `if faults.Bug("give-back-on-timeout") {
	units := int64(0)
	for _, i := range p.places {
		units += int64(f.batch[i].purchase.Quantity)
	}
	err := f.engine.Redis.do(context.Background(), func(c rueidis.Client) rueidis.Completed {
		return c.B().Hincrby().Key(f.keys.meta).Field("available").Increment(units).Build()
	}).Error()
	f.engine.Log.Warn("units were given back", "units", units, "error", err)
	for _, i := range p.places {
		f.batch[i].reply(sale.Answer{Outcome: sale.OutcomeUnavailable})
	}
	continue
}`)},
		Checks: []Check{check("reserve", "^TestEngineHoldsWhileKafkaIsAway$"), simulated()},
	},
	{
		Name: "new-id-on-retry", What: "an unknown outcome is asked again under new ids",
		Seeds: []Replacement{
			before("reserve/ask.go", `call.askedAgain = call.askedAgain ||`,
				`if faults.Bug("new-id-on-retry") && f.makeOrderIDs() {
	call.orderIDs = f.orderIDs
}`),
		},
		Checks: []Check{check("reserve", "^TestLostReplyIsAskedForAgain$")},
	},
	{
		Name: "sold-out-per-bucket", What: "a SKU is sold out when one bucket is",
		Seeds: []Replacement{
			instead("reserve/engine.go", `if p.Buckets > 1 && lacking(a) {`,
				`if p.Buckets > 1 && lacking(a) && !faults.Bug("sold-out-per-bucket") {`),
		},
		Checks: []Check{check("reserve", "^TestUnitsMoveToTheBuyerWhoAsks$"), simulated()},
	},
	{
		Name: "sold-out-unverified", What: "units on their way between buckets are overlooked",
		Seeds: []Replacement{
			after("reserve/sight.go", `func (v *sight) moving() bool {`, `if faults.Bug("sold-out-unverified") { return false }`),
		},
		Checks: []Check{check("reserve", "^TestUnitsOnTheirWayAreNotSoldOut$")},
	},
	{
		Name: "transfer-credited-directly", What: "the gateway credits the receiving bucket itself",
		Seeds: []Replacement{before("reserve/turn.go", `return reply.units, nil`, `if faults.Bug("transfer-credited-directly") {
	return reply.units, m.engine.Redis.do(ctx, func(c rueidis.Client) rueidis.Completed {
		meta := m.engine.Redis.keys(m.buckets[to]).meta
		return c.B().Hincrby().Key(meta).Field("available").Increment(reply.units).Build()
	}).Error()
}`)},
		Checks: []Check{check("reserve", "^TestUnitsMoveToTheBuyerWhoAsks$")},
	},
}
