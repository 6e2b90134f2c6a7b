package bugs

// recoveryBugs are the bugs of what runs beside the purchases: outbox rows brought to Redis, the relay, rebuilds.
var recoveryBugs = []Bug{
	{
		Name: "refused-remembered", What: "an order that was refused by hand counts as a cancelled one",
		Seeds: []Replacement{
			instead("reserve/release.go", `strconv.Itoa(o.Quantity); o.refused {`,
				`strconv.Itoa(o.Quantity); o.refused && !faults.Bug("refused-remembered") {`),
		},
		Checks: []Check{check("reserve", "^TestCourierForgetsRefusedOrders$"), simulated()},
	},
	{
		Name: "script-loaded-on-noscript", What: "the courier loads the script that it misses",
		Seeds: []Replacement{after("reserve/courier.go", `piece := pages[from:to]`, `if faults.Bug("script-loaded-on-noscript") {
	if err := c.Redis.installFenced(ctx, piece[0].bucket, nil); err != nil { return err }
}`)},
		Checks: []Check{check("reserve", "^TestCourierDoesNotLoadTheScript$")},
	},
	{
		Name: "relay-skips-old", What: "the relay leaves the oldest entries",
		Seeds: []Replacement{before("reserve/journal.go", `if entry.createdMS <= createdBeforeMS {`,
			`if faults.Bug("relay-skips-old") && !strings.HasPrefix(entry.id, fmt.Sprintf("%d0", b.epoch)) { continue }`)},
		Checks: []Check{check("reserve", "^TestJournalIsNeverCounted$")},
	},
	{
		Name: "rebuild-without-fence", What: "a rebuild does not wait for settlement",
		Seeds: []Replacement{
			before("reserve/rebuilder.go", `return b.passFences(ctx, partitions)`,
				`if faults.Bug("rebuild-without-fence") { return nil }`),
		},
		Checks: []Check{check("reserve", "^TestRebuildWaitsForTheFence$")},
	},
	{
		Name: "load-counts-released", What: "a rebuild loads released orders as owners",
		Seeds: []Replacement{
			instead("reserve/entries.go", `released: true}`, `released: !faults.Bug("load-counts-released")}`),
		},
		Checks: []Check{check("reserve", "^TestCourierBringsReleasedUnitsBack$"), simulated()},
	},
	{
		Name: "verify-skipped", What: "a rebuild opens without asking Redis again",
		Seeds: []Replacement{before("reserve/rebuilder.go", `for server := 0; len(rows) > 0; server++ {`,
			`if faults.Bug("verify-skipped") {
	for _, row := range rows {
		if err := b.redis.installFenced(ctx, row.Bucket, nil); err != nil { return nil, nil, err }
	}
	return rows, nil, nil
}`)},
		Checks: []Check{check("reserve", "^TestRebuildBeginsAgainWhenRedisChanges$")},
	},
	{
		Name: "others-left-open", What: "a rebuild brings the scripts back under other buckets that went back",
		Seeds: []Replacement{
			before("reserve/rebuilder.go", `return b.redis.installFenced(ctx, at, func() error {`,
				`if faults.Bug("others-left-open") { return b.redis.installFenced(ctx, at, nil) }`),
		},
		Checks: []Check{check("reserve", "^TestRebuildClosesTheOtherBucketsOfAServerWithoutScripts$")},
	},
}
