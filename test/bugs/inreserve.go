package bugs

// reserveBugs are the bugs between the press and the answer.
var reserveBugs = []Bug{
	{
		Name: "eval-fallback", What: "a server without the script gets it from the process that calls it",
		Seeds: []Replacement{instead("scripts/reserve.go", `arguments.replyOf(client.Do(ctx, command))`,
			`arguments.replyOf(func() rueidis.RedisResult {
		result := client.Do(ctx, command)
		if faults.Bug("eval-fallback") && lacksIt(result) {
			return client.Do(ctx, client.B().Eval().Script(ReserveScript().Source).Numkeys(4).
				Key(call.Keys.all()...).Arg(arguments.of(call)...).Build())
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
	for _, i := range p.indexes {
		for _, line := range w.batch[i].purchase.Lines {
			err := w.engine.Redis.GiveBack(context.Background(), w.queue.keys, line.SKU, int64(line.Quantity))
			w.engine.Log.Warn("units were given back", "units", line.Quantity, "error", err)
		}
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
			after("reserve/stocksnapshot.go", `func (s *stockSnapshot) moving(column int) bool {`,
				`if faults.Bug("sold-out-unverified") { return false }`),
		},
		Checks: []Check{check("reserve", "^TestUnitsOnTheirWayAreNotSoldOut$")},
	},
	{
		Name: "transfer-credited-directly", What: "the gateway credits the receiving bucket itself",
		Seeds: []Replacement{before("reserve/bring.go", `b.note(giver, to, wants, reply.Units)`,
			`if faults.Bug("transfer-credited-directly") {
	for _, u := range reply.Units {
		keys := b.engine.Redis.Keys(b.buckets[to.number])
		if err := b.engine.Redis.CreditDirectly(ctx, keys, u.SKU, u.Units); err != nil { return err }
	}
}`), credit("transfer-credited-directly", "CreditDirectly")},
		Checks: []Check{check("reserve", "^TestUnitsMoveToTheBuyerWhoAsks$")},
	},
}

// credit gives the Redis client a method that no client may have: it adds units of a SKU to a bucket past the scripts.
func credit(bug, name string) Replacement {
	return before("scripts/redis.go", "// Ping asks the server", `// `+name+` is a seeded bug.
func (r *Redis) `+name+`(ctx context.Context, keys BucketKeys, sku string, units int64) error {
	if !faults.Bug("`+bug+`") {
		return nil
	}
	text, err := r.do(ctx, func(c rueidis.Client) rueidis.Completed {
		return c.B().Hget().Key(keys.Stock).Field(sku).Build()
	}).ToString()
	if err != nil { return err }
	available, rest, _ := strings.Cut(text, " ")
	left, err := strconv.ParseInt(available, 10, 64)
	if err != nil { return err }
	return r.do(ctx, func(c rueidis.Client) rueidis.Completed {
		return c.B().Hset().Key(keys.Stock).FieldValue().FieldValue(sku, fmt.Sprint(left+units, " ", rest)).Build()
	}).Error()
}
`)
}
