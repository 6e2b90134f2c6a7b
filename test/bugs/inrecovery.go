package bugs

// recoveryBugs are the bugs in the background roles of Redis: the outbox applier, the relay, rebuilds.
var recoveryBugs = []Bug{
	{
		Name: "refused-remembered", What: "an order that was refused by hand counts as a cancelled one",
		Seeds: []Replacement{
			instead("scripts/release.go", `if o.Refused {`, `if o.Refused && !faults.Bug("refused-remembered") {`),
		},
		Checks: []Check{check("recovery", "^TestOutboxApplierForgetsRefusedOrders$"), simulated()},
	},
	{
		Name: "script-loaded-on-noscript", What: "the outbox applier loads the script that it misses",
		Seeds: []Replacement{after("scripts/release.go", `piece := pages[from:to]`, `if faults.Bug("script-loaded-on-noscript") {
	if err := r.InstallFenced(ctx, piece[0].Bucket, nil); err != nil { return err }
}`)},
		Checks: []Check{check("recovery", "^TestOutboxApplierDoesNotLoadTheScript$")},
	},
	{
		Name: "relay-skips-old", What: "the relay leaves the oldest entries",
		Seeds: []Replacement{before("recovery/journal.go", `if entry.CreatedMS <= createdBeforeMS {`,
			`if faults.Bug("relay-skips-old") && !strings.HasPrefix(entry.ID, fmt.Sprintf("%d0", b.Epoch)) { continue }`)},
		Checks: []Check{check("recovery", "^TestJournalIsNeverCounted$")},
	},
	{
		Name: "rebuild-without-fence", What: "a rebuild does not wait for settlement",
		Seeds: []Replacement{
			before("recovery/rebuild.go", `return b.passFences(ctx, partitions)`,
				`if faults.Bug("rebuild-without-fence") { return nil }`),
		},
		Checks: []Check{check("recovery", "^TestRebuildWaitsForTheFence$")},
	},
	{
		Name: "load-counts-released", What: "a rebuild loads released orders as owners",
		Seeds: []Replacement{
			instead("scripts/loadedbuyers.go", `released: true}`, `released: !faults.Bug("load-counts-released")}`),
		},
		Checks: []Check{check("recovery", "^TestOutboxApplierBringsReleasedUnitsBack$"), simulated()},
	},
	{
		Name: "verify-skipped", What: "a rebuild opens without asking Redis again",
		Seeds: []Replacement{before("recovery/verify.go", `for server := 0; len(rows) > 0; server++ {`,
			`if faults.Bug("verify-skipped") {
	for _, row := range rows {
		if err := b.redis.InstallFenced(ctx, row.Bucket, nil); err != nil { return nil, nil, err }
	}
	return rows, nil, nil
}`)},
		Checks: []Check{check("recovery", "^TestRebuildBeginsAgainWhenRedisChanges$")},
	},
	{
		Name: "others-left-open", What: "a rebuild brings the scripts back under other buckets that went back",
		Seeds: []Replacement{
			before("recovery/verify.go", `return b.redis.InstallFenced(ctx, at, func() error {`,
				`if faults.Bug("others-left-open") { return b.redis.InstallFenced(ctx, at, nil) }`),
		},
		Checks: []Check{check("recovery", "^TestRebuildClosesTheOtherBucketsOfAServerWithoutScripts$")},
	},
	{
		Name: "line-not-released", What: "the units of an order's further lines are not given back",
		Seeds: []Replacement{instead("scripts/release.go", `for _, line := range o.Lines {`, `lines := o.Lines
if faults.Bug("line-not-released") { lines = lines[:1] }
for _, line := range lines {`)},
		Checks: []Check{check("scripts", "^TestAPageOfEverything$"), simulated()},
	},
}
