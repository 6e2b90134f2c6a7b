package bugs

// settleBugs are the bugs on the way from Kafka to the database and back.
var settleBugs = []Bug{
	{
		Name: "offset-before-commit", What: "offsets are committed before the database",
		Seeds: []Replacement{
			before("settle/consumer.go", `if err := c.settling.settle(session.Context(), records); err != nil {`,
				`if faults.Bug("offset-before-commit") {
	session.MarkOffset(claim.Topic(), partition, records[len(records)-1].Offset+1, c.starts.topicID)
	session.Commit()
}`),
		},
		Checks: []Check{check("settle", "^TestOffsetsAreMarkedOnlyAfterTheBooks$")},
	},
	{
		Name: "poison-skipped", What: "a record that cannot settle is dropped",
		Seeds: []Replacement{
			before("settle/deadletter.go", `letter := newLetter(d, reason, cause)`,
				`if faults.Bug("poison-skipped") { return nil }`),
		},
		Checks: []Check{check("settle", "^TestRecordsThatCannotBeDecodedAreBuriedAndTheRestSettles$"), simulated()},
	},
	{
		Name: "untold-partition-blocks", What: "a partition without an offset from Kafka blocks the others",
		Seeds: []Replacement{
			before("settle/starts.go", `known, late := map[int32]int64{}, false`,
				`if faults.Bug("untold-partition-blocks") { patience.Stop() }`),
		},
		Checks: []Check{check("settle", "^TestASessionBeginsWithWhatIsTold$")},
	},
	{
		Name: "event-dropped-on-error", What: "events that cannot be published are forgotten",
		Seeds: []Replacement{
			instead("events/publisher.go", `if err := p.send(ctx, events); err != nil {`,
				`if err := p.send(ctx, events); err != nil && !faults.Bug("event-dropped-on-error") {`),
		},
		Checks: []Check{check("events", "^TestEventsWaitForTheirTopicAndTheirDatabase$")},
	},
	{
		Name: "lost-tail-passed", What: "the position moves past records whose rows the database has lost",
		Seeds: []Replacement{
			before("settle/batcher.go", `for i := range records {`, `if faults.Bug("lost-tail-passed") { return }`),
		},
		Checks: []Check{check("settle", "^TestRowsThatTheDatabaseLostAreSettledAgain$"), simulated()},
	},
	{
		Name: "lost-tail-not-refused", What: "the database takes records that follow what it has lost",
		Seeds: []Replacement{
			before("store/positions.go", `result, err := tx.ExecContext(ctx, sqlMovePosition,`,
				`if faults.Bug("lost-tail-not-refused") { p.follows = 0 }`),
		},
		Checks: []Check{check("store", "^TestPositionsLeaveNoGap$")},
	},
	{
		Name: "lost-tail-unseen", What: "rows that the database has lost come back only with the next record",
		Seeds: []Replacement{
			before("settle/rewind.go", `if len(known) == 0 {`, `if faults.Bug("lost-tail-unseen") { return }`),
		},
		Checks: []Check{check("settle", "^TestRowsThatTheDatabaseLostAreSettledAgain$"), simulated()},
	},
	{
		// An attempt does not repeat the identity of the one before it, so a commit whose answer was lost is not
		// recognised.
		Name: "duplicate-redelivered-settled", What: "a record that is delivered again settles again",
		Seeds: []Replacement{
			after("settle/settling.go", "s.tell(deliveries)\n\t\t\treturn nil\n\t\t}",
				`if faults.Bug("duplicate-redelivered-settled") {
	for i := range deliveries {
		if batch := deliveries[i].Record.Batch; batch != nil {
			again := *batch
			again.Sequence += 1_000_000
			deliveries[i].Record.Batch = &again
		}
	}
}`),
		},
		Checks: []Check{check("settle", "^TestACommitWithoutAnAnswerSettlesOnce$")},
	},
}
