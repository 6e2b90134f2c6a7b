package protocol

// Breach is a setup in which the promise breaks without a rule. Besides names rules that are off as well: they would
// catch the same. Without them alone the setup holds.
type Breach struct {
	Rule Rule
	Setup
	Besides []Rule
}

// Breaches shows what each rule is for. DuplicateIsWhole has a longer way to its breach and a test of its own; Spare
// rules have none.
func Breaches() []Breach {
	return append(append(breachesOfTaking(), breachesOfSettling()...), append(breachesOfRebuilds(), breachesOfReturns()...)...)
}

func breachesOfTaking() []Breach {
	return []Breach{
		{ScriptFence, many().With(Rewind).hidden(), []Rule{SequenceWatched}},
		{StateCompared, three().With(FalseAlarm, Cancel), nil},
		{SequenceCompared, three().With(Blind), nil},
		{ReplidCompared, three().With(Rewind, Rewind), []Rule{LoadCounted}},
		{EpochFromDatabase, three().With(FalseAlarm, Takeover), nil},
		{SameIDsAskedAgain, three().With(Unknown, Cancel), nil},
		{CallDeadline, many().With(Unknown, Cancel), nil},
		{AnswerAfterAck, three().With(Rewind, Held), nil},
		{HeldWhileJournaled, single().With(Rewind, Held), nil},
		{KeyAnswersOnce, many(), nil},
		{KeyAnswersAfterRelease, single().With(Cancel), nil},
		{ReleasedCountsNot, three().With(Cancel), nil},
		{TrimExact, pair().With(Held), nil},
	}
}

func breachesOfSettling() []Breach {
	return []Breach{
		{MarkerHasBatchID, three().With(Blind), nil},
		{LateIsRefused, many().With(Rewind), nil},
		{GuardWithReleased, three().With(Cancel), nil},
		{StockGuard, three().With(Blind), nil},
		{LimitGuard, wide().With(Blind), nil},
		{KeyOnceInBooks, many().With(Blind), nil},
		{OrderOnce, wide().With(Blind, Unknown), nil},
		{DisagreementCloses, three().With(Blind).hidden(), nil},
	}
}

func breachesOfRebuilds() []Breach {
	return []Breach{
		{RedisClosedFirst, three().With(FalseAlarm, Cancel), nil},
		{JournalPublished, three().With(FalseAlarm), nil},
		{FencePassed, three().With(FalseAlarm), nil},
		{BeginIfClosed, three().With(FalseAlarm, Takeover, Cancel), nil},
		{JournalNotCounted, three().With(Split), nil},
		{OutboxAbsorbed, three().With(FalseAlarm, Cancel), nil},
		{OutboxNumberLoaded, three().With(FalseAlarm, Cancel, Cancel), nil},
		{LoadConditional, three().With(FalseAlarm, Takeover), []Rule{JournalStays}},
		{JournalStays, three().With(FalseAlarm, Takeover), []Rule{LoadConditional}},
		{LoadCounted, three().With(FalseAlarm, Rewind).hidden(), nil},
		{SequenceWatched, many().With(Blind).hidden(), nil},
	}
}

func breachesOfReturns() []Breach {
	return []Breach{
		{ReleaseInEpoch, twin().With(Transfer, FalseAlarm), nil},
		{ReleaseOnce, twin().With(Transfer, Cancel, Zombie), nil},
		{ReleaseKnown, three().With(Blind, Cancel), nil},
		{ReleaseSequence, three().With(Blind, Cancel).hidden(), nil},
		{ReleaseMarked, three().With(Blind, Cancel).hidden(), nil},
		{CreditThroughOutbox, twin().With(Transfer), nil},
		{TransferJournaled, twin().With(Transfer, Crash), nil},
		{TransferGuard, crowded().With(Transfer, Blind), nil},
		{LateTransferMovesNothing, twin().With(Transfer, Rewind), nil},
		{WholeSKU, twin().With(Transfer, Ask), nil},
		{SoldOutByBooks, twin().With(Transfer, Ask), nil},
	}
}

// Spare rules are second belts: what they stop, another rule stops later, and no setup was found that breaks without
// one. They make a breach shorter and a rebuild rarer.
func Spare() []Rule { return []Rule{Verify, OpenIfLoading, ReleaseInOrder} }
