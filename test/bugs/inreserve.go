package bugs

// reserveBugs are the bugs between the press and the answer.
var reserveBugs = []Bug{
	{
		Name: "eval-fallback", What: "a server without the script gets it from the process that calls it",
		Seeds: []Replacement{instead("scripts/reserve.go", `arguments.replyOf(client.Do(ctx, command))`,
			`arguments.replyOf(func() rueidis.RedisResult {
		result := client.Do(ctx, command)
		if faults.Bug("eval-fallback") && lacksIt(result) {
			return client.Do(ctx, client.B().Eval().Script(ReserveScript().Source).Numkeys(3).
				Key(call.Keys.Meta, call.Keys.Buyers, call.Keys.Journal).Arg(arguments.of(call)...).Build())
		}
		return result
	}())`)},
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
		Seeds: []Replacement{instead("reserve/publication.go", "\tdefault:\n\t}", `default:
		if faults.Bug("answer-before-ack") {
			outcome = sale.OutcomeQueued
		}
	}`)},
		Checks: []Check{check("reserve", "^TestEngineHoldsWhileKafkaIsAway$")},
	},
	{
		Name: "give-back-on-timeout", What: "units are given back when Kafka is slow",
		Seeds: []Replacement{after("reserve/publication.go", `w.queue.patience.timedOut()`,
			`if faults.Bug("give-back-on-timeout") {
	units := int64(0)
	for _, i := range p.indexes {
		units += int64(w.batch[i].purchase.Quantity)
	}
	err := w.engine.Redis.GiveBack(context.Background(), w.queue.keys, units)
	w.engine.Log.Warn("units were given back", "units", units, "error", err)
	for _, i := range p.indexes {
		w.batch[i].reply(sale.Answer{Outcome: sale.OutcomeUnavailable})
	}
	continue
}`), credit("give-back-on-timeout", "GiveBack")},
		Checks: []Check{check("reserve", "^TestEngineHoldsWhileKafkaIsAway$"), simulated()},
	},
	{
		Name: "new-id-on-retry", What: "an unknown outcome is asked again under new ids",
		Seeds: []Replacement{
			before("reserve/callscript.go", `call.AskedAgain = call.AskedAgain ||`,
				`if faults.Bug("new-id-on-retry") && w.makeOrderIDs() {
	call.OrderIDs = w.orderIDs
}`),
		},
		Checks: []Check{check("reserve", "^TestLostReplyIsAskedForAgain$")},
	},
	{
		Name: "sold-out-per-bucket", What: "a SKU is sold out when one bucket is",
		Seeds: []Replacement{
			instead("reserve/engine.go", `if p.Buckets <= 1 || !lacking(answer) {`,
				`if p.Buckets <= 1 || !lacking(answer) || faults.Bug("sold-out-per-bucket") {`),
		},
		Checks: []Check{check("reserve", "^TestUnitsMoveToTheBuyerWhoAsks$"), simulated()},
	},
	{
		Name: "sold-out-unverified", What: "units on their way between buckets are overlooked",
		Seeds: []Replacement{
			after("reserve/skusnapshot.go", `func (s *skuSnapshot) moving() bool {`,
				`if faults.Bug("sold-out-unverified") { return false }`),
		},
		Checks: []Check{check("reserve", "^TestUnitsOnTheirWayAreNotSoldOut$")},
	},
	{
		Name: "transfer-credited-directly", What: "the gateway credits the receiving bucket itself",
		Seeds: []Replacement{before("reserve/round.go", `return reply.Units, nil`, `if faults.Bug("transfer-credited-directly") {
	return reply.Units, r.engine.Redis.CreditDirectly(ctx, r.engine.Redis.Keys(r.buckets[to]), reply.Units)
}`), credit("transfer-credited-directly", "CreditDirectly")},
		Checks: []Check{check("reserve", "^TestUnitsMoveToTheBuyerWhoAsks$")},
	},
}

// credit gives the Redis client a method that no client may have: it adds units to a bucket past the scripts.
func credit(bug, name string) Replacement {
	return before("scripts/redis.go", "// Ping asks the server", `// `+name+` is a seeded bug.
func (r *Redis) `+name+`(ctx context.Context, keys BucketKeys, units int64) error {
	if !faults.Bug("`+bug+`") {
		return nil
	}
	return r.do(ctx, func(c rueidis.Client) rueidis.Completed {
		return c.B().Hincrby().Key(keys.Meta).Field("available").Increment(units).Build()
	}).Error()
}
`)
}
