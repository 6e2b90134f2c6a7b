package bugs

// Check is a test that has to catch a bug: the package it lives in, the tests to run, further flags.
type Check struct {
	Package string
	Run     string
	Flags   []string
}

// Bug is one seeded bug.
type Bug struct {
	Name   string  // as faults.Bug and the table in scripts name it
	What   string  // what the engine does wrong
	Checks []Check // each of them has to catch it
}

// simulated is the check of whole sales under faults in virtual time, for bugs that show in one sale of twenty or so.
func simulated() Check { return Check{"test/sim", "^TestSales$", []string{"-sim.n=300"}} }

func caught(name, what, pkg, run string, more ...Check) Bug {
	return Bug{name, what, append([]Check{{Package: pkg, Run: run}}, more...)}
}

// Bugs is the table: in the order of a purchase's way through the engine.
func Bugs() []Bug {
	var all []Bug
	for _, room := range [][]Bug{ofReserve(), ofMoving(), ofSettling(), ofGateway()} {
		all = append(all, room...)
	}
	return all
}

func ofReserve() []Bug {
	return []Bug{
		caught("eval-fallback", "a server without the script gets it from whoever asks",
			"reserve", "^TestServerWithoutTheScriptSellsNothing$"),
		caught("epoch-not-compared", "the script sells in whatever epoch it is in",
			"reserve", "^TestLossIsFencedAndReported$"),
		caught("replid-not-compared", "a promoted node sells on",
			"reserve", "^TestLossIsFencedAndReported$"),
		caught("sequence-not-compared", "a Redis that went back sells on",
			"reserve", "^TestLossIsFencedAndReported$"),
		caught("window-ignored", "units are taken outside the sale's window",
			"reserve", "^TestEngineWindows$", simulated()),
		caught("limit-per-press", "the limit counts one press, not the buyer",
			"reserve", "^TestEngineAnswers$", simulated()),
		caught("cancellations-unbounded", "every cancelled order of a buyer is remembered and read at each press",
			"reserve", "^TestCancelledOrdersOfABuyerAreBounded$", Check{Package: "reserve", Run: "^TestSeveralOrdersCancelledAreBounded$"}),
		caught("grief-ignored", "who never pays is never refused",
			"reserve", "^TestGriefIsRefused$"),
		caught("key-forgotten", "entries keep no idempotency key",
			"reserve", "^TestEngineAnswers$"),
		caught("trim-by-number", "trimming deletes everything up to the entry",
			"reserve", "^TestModelAgreesWithRedis$"),
		caught("journal-counted-as-sold", "a rebuild takes journaled orders for sold",
			"reserve", "^TestJournalIsNeverCounted$"),
		caught("release-applied-twice", "an outbox row that was applied is applied again",
			"reserve", "^TestCourierAppliesARowOnce$"),
		caught("release-in-later-epoch", "a row of an earlier epoch is applied",
			"reserve", "^TestCourierAppliesInTheRowsEpochOnly$"),
		caught("release-of-unknown-order", "an order that Redis does not know gives units back",
			"reserve", "^TestCourierReportsLoss$"),
		caught("refused-remembered", "an order that was refused by hand counts as a cancelled one",
			"reserve", "^TestCourierForgetsRefusedOrders$", simulated()),
		caught("load-counts-released", "a rebuild loads released orders as owners",
			"reserve", "^TestCourierBringsReleasedUnitsBack$", simulated()),
		caught("load-not-counted", "a bucket opens without buyers that were loaded",
			"reserve", "^TestLoadStepsAreFenced$"),
		caught("script-loaded-on-noscript", "the courier loads the script that it misses",
			"reserve", "^TestCourierDoesNotLoadTheScript$"),
		caught("node-id-reused", "a node id is used before its high-water mark has passed",
			"reserve", "^TestOrderIDsWaitForTheMark$"),
		caught("relay-skips-old", "the relay leaves the oldest entries",
			"reserve", "^TestJournalIsNeverCounted$"),
		caught("rebuild-without-fence", "a rebuild does not wait for settlement",
			"reserve", "^TestRebuildWaitsForTheFence$"),
		caught("verify-skipped", "a rebuild opens without asking Redis again",
			"reserve", "^TestRebuildBeginsAgainWhenRedisChanges$"),
		caught("others-left-open", "a rebuild brings the scripts back under other buckets that went back",
			"reserve", "^TestRebuildClosesTheOtherBucketsOfAServerWithoutScripts$"),
		caught("answer-before-ack", "queued is said before Kafka has acknowledged",
			"reserve", "^TestEngineHoldsWhileKafkaIsAway$"),
		caught("give-back-on-timeout", "units are given back when Kafka is slow",
			"reserve", "^TestEngineHoldsWhileKafkaIsAway$", simulated()),
		caught("new-id-on-retry", "an unknown outcome is asked again under new ids",
			"reserve", "^TestLostReplyIsAskedForAgain$"),
	}
}

func ofMoving() []Bug {
	return []Bug{
		caught("sold-out-per-bucket", "a SKU is sold out when one bucket is",
			"reserve", "^TestUnitsMoveToTheBuyerWhoAsks$", simulated()),
		caught("sold-out-unverified", "units on their way between buckets are overlooked",
			"reserve", "^TestUnitsOnTheirWayAreNotSoldOut$"),
		caught("transfer-credited-directly", "the gateway credits the receiving bucket itself",
			"reserve", "^TestUnitsMoveToTheBuyerWhoAsks$"),
		caught("transfer-not-journaled", "a transfer leaves no journal entry",
			"reserve", "^TestTransferOfADeadGatewayIsRelayed$"),
		caught("latch-never-opened", "a sold-out latch stays closed",
			"gateway", "^TestLatchClosesByTheVerdictAndOpensWhenStockIsBack$"),
	}
}

func ofSettling() []Bug {
	return []Bug{
		caught("missing-unique-key", "nothing stops a row beyond the limit",
			"store", "^TestNeverBeyondTheLimit$"),
		caught("marker-without-batch-id", "another batch at a settled place passes for the same",
			"store", "^TestForkSettlesAndClosesTheBucket$"),
		caught("key-twice-in-books", "two orders of one key are confirmed",
			"store", "^TestKeyMakesOneOrder$"),
		caught("duplicate-not-whole", "a marker passes for orders that came under its identity later",
			"store", "^TestMarkedBatchWithMoreOrders$"),
		caught("guard-missing", "nothing stops rows beyond loaded",
			"store", "^TestNeverBeyondLoaded$"),
		caught("guard-without-released", "released units are never sold again",
			"store", "^TestCancelGivesUnitsBackOnce$", simulated()),
		caught("late-settled", "a batch of an earlier epoch settles",
			"store", "^TestLateBatchIsRefused$"),
		caught("late-not-recorded", "a batch of an earlier epoch leaves no trace",
			"store", "^TestLateBatchIsRefused$"),
		caught("fork-skipped", "the second batch at a place is dropped",
			"store", "^TestForkSettlesAndClosesTheBucket$"),
		caught("fence-position-decides", "what stands behind a fence is late",
			"store", "^TestFencesDecideNothing$"),
		caught("payment-before-row", "settlement looks for remembered payments before it writes the rows",
			"store", "^TestRememberedPaymentWins$"),
		caught("expire-paid", "paid orders expire",
			"store", "^TestExpireWhatIsDue$", simulated()),
		caught("cancel-twice-releases", "a second cancellation gives units back again",
			"store", "^TestCancelGivesUnitsBackOnce$", simulated()),
		caught("outbox-not-absorbed", "a rebuild leaves the outbox as it is",
			"store", "^TestOutboxIsAbsorbedByARebuild$"),
		caught("transfer-late-moves", "a transfer of an earlier epoch moves units",
			"store", "^TestLateTransferMovesNothing$"),
		caught("offset-before-rows", "the position is committed before the rows",
			"store", "^TestPositionsAreCommittedWithTheRows$"),
		caught("offset-before-commit", "offsets are committed before the database",
			"settle", "^TestOffsetsAreMarkedOnlyAfterTheBooks$"),
		caught("poison-skipped", "a record that cannot settle is dropped",
			"settle", "^TestRecordsThatCannotBeDecodedAreBuriedAndTheRestSettles$", simulated()),
		caught("untold-partition-blocks", "a partition that Kafka does not tell keeps the others",
			"settle", "^TestASessionBeginsWithWhatIsTold$"),
		caught("event-dropped-on-error", "events that cannot be told are forgotten",
			"settle", "^TestEventsWaitForTheirTopicAndTheirDatabase$"),
		caught("duplicate-redelivered-settled", "a record that comes again settles again",
			"settle", "^TestACommitWithoutAnAnswerSettlesOnce$"),
	}
}

func ofGateway() []Bug {
	return []Bug{
		caught("pause-not-applied", "pause is answered before Redis knows it",
			"admin", "^TestMovesFollowTheStates$"),
		caught("cancel-foreign-order", "a buyer cancels somebody else's order",
			"gateway", "^TestCancelOfAForeignOrder$"),
	}
}
