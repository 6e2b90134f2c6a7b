package protocol

import "slices"

// Breach is a setup in which the promise breaks without a rule, and holds with it. BeltOf names rules that catch the same:
// with one of them on nothing breaks without the other, and both off break.
type Breach struct {
	Rule
	Setup
	Broken Broken
	BeltOf []Rule
}

// Without is the setup without the rule, and without those that it is the belt of.
func (b *Breach) Without() Setup {
	s := b.Setup
	s.Off = Without(append([]Rule{b.Rule}, b.BeltOf...)...)
	return s
}

// What breaks in more than one way to go wrong.
const (
	falseLoss  Broken = "a bucket is closed for a loss that was none"
	refusedAll Broken = "an order that was queued or held is refused although redis lost nothing"
	tooMany    Broken = "oversell: a bucket has more orders than units"
	tooRich    Broken = "redis holds more units than were loaded"
	halfSold   Broken = "order 1 is sold in one of redis and the database only"
	twoOfOne   Broken = "one key was answered with two orders although redis lost nothing"
	untrueEnd  Broken = "sold out was answered although units were free all the time"
	firstLost  Broken = "lost: order 1 was queued and has no row"
)

// Breaches shows what each rule is for.
func Breaches() []Breach {
	return slices.Concat(breachesOfTaking(), breachesOfSettling(), breachesOfRebuilds(), breachesOfReturns(), breachesOfChanges())
}

func breachesOfTaking() []Breach {
	return []Breach{
		{ScriptFence, couple(1).With(Rewind), "a server that went back was sold from", nil},
		{StateCompared, three().With(FalseAlarm, Cancel), refusedAll, nil},
		{SequenceCompared, three().With(Blind), "a gateway made two batches at one sequence", nil},
		{ReplidCompared, three().With(Rewind, Rewind), halfSold, []Rule{LoadCounted}},
		{EpochFromDatabase, three().With(FalseAlarm, Takeover), refusedAll, nil},
		{SameIDsAskedAgain, three().With(Unknown, Cancel), "two orders for one press", nil},
		{CallDeadline, many().With(Unknown, Cancel), "an order that its buyer was refused", nil},
		{AnswerAfterAck, three().With(Rewind, Held), firstLost, nil},
		{HeldWhileJournaled, single().With(Rewind, Held), firstLost, nil},
		{KeyOfSale, pressing(1, Press{1, 0, 1}, Press{0, 1, 1}), twoOfOne, nil},
		{KeyAnswersOnce, many(), twoOfOne, nil},
		{KeyAnswersAfterRelease, single().With(Cancel), twoOfOne, nil},
		{ReleasedCountsNot, three().With(Cancel), "a buyer whose units went back may not buy again", nil},
		{ReleasedBounded, hoarder().With(Cancel, Cancel), twoOfOne, nil},
		{KeyNotForgotten, forgetful().With(Cancel, Cancel), twoOfOne, nil},
		{LinesWhole, basket(), tooRich, nil},
		{SaleLimit, pressing(1, Press{1, 0, 0}, Press{0, 1, 0}).atMost(1), falseLoss, nil},
		{TrimExact, pair().With(Held), "leak: loaded 2, settled 1, released 0, but available 0", nil},
	}
}

func breachesOfSettling() []Breach {
	return []Breach{
		{MarkerHasBatchID, three().With(Blind), "lost: order 2 was queued and has no row", nil},
		{DuplicateIsWhole, grown(), "lost: order 3 was queued and has no row", nil},
		{LateIsRefused, many().With(Rewind), "leak: loaded 2, settled 1, released 0, but available 2", nil},
		{GuardWithReleased, three().With(Cancel), falseLoss, nil},
		{StockGuard, three().With(Blind), tooMany, nil},
		{LinesWholeInBooks, basket().With(Blind), "a stock row and its orders differ", nil},
		{LimitGuard, alone(2, 1, 1).With(Blind), "a buyer is beyond the limit", nil},
		{SaleLimitInBooks, pressing(1, Press{1, 0, 0}, Press{0, 1, 0}).atMost(1).With(Blind),
			"a buyer is beyond the limit of the sale", nil},
		{KeyOnceInBooks, many().With(Blind), "two orders for one key", nil},
		{OrderOnce, again(), "a stock row and its orders differ", nil},
		{DisagreementCloses, three().With(Blind).hidden(), halfSold, nil},
	}
}

func breachesOfRebuilds() []Breach {
	return []Breach{
		{RedisClosedFirst, three().With(FalseAlarm, Cancel), refusedAll, nil},
		{CloseConditional, alone(1, 1).With(FalseAlarm, Takeover), falseLoss, nil},
		{JournalPublished, three().With(FalseAlarm), refusedAll, nil},
		{FencePassed, three().With(FalseAlarm), refusedAll, nil},
		{BeginIfClosed, alone(1, 1, 1).With(FalseAlarm, Takeover, Cancel), tooRich, nil},
		{JournalNotCounted, three().With(Split), "leak: loaded 1, settled 0, released 0, but available 0", nil},
		{OutboxAbsorbed, three().With(FalseAlarm, Cancel), "stuck: the outbox waits", nil},
		{TakeAbsorbed, alone(1).With(Take, FalseAlarm), "lost: a take-back was never decided", nil},
		{OutboxNumberLoaded, three().With(FalseAlarm, Cancel, Cancel), falseLoss, nil},
		{LoadConditional, alone(1, 1).With(FalseAlarm, Takeover), falseLoss, nil},
		{LoadCounted, three().With(FalseAlarm, Rewind).hidden(), halfSold, nil},
		{JournalStays, between(), "lost: order 2 was held and has no row although redis had not forgotten it", nil},
		{Verify, alone(1, 1).With(Rewind), falseLoss, nil},
		{OthersClosed, beside().With(Rewind).shared(), "a server that went back was sold from", nil},
		{OpenIfLoading, alone(1, 1).With(FalseAlarm, Takeover), falseLoss, nil},
		{StateWatched, alone(1, 1).With(FalseAlarm, Blind), "stuck: the bucket does not sell", nil},
		{SequenceWatched, many().With(Blind).hidden(), "leak: loaded 2, settled 1, released 0, but available 2", nil},
	}
}

func breachesOfReturns() []Breach {
	noReturn := Broken("leak: loaded 1, settled 1, released 1, but available 0")
	return []Breach{
		{ReleaseInEpoch, twin().With(Transfer, FalseAlarm), tooRich, nil},
		{ReleaseOnce, twin().With(Transfer, Cancel, Zombie), falseLoss, nil},
		{ReleaseInOrder, gap(), "leak: loaded 2, settled 2, released 2, but available 1", []Rule{DisagreementCloses}},
		{ReleaseKnown, alone(1, 1).With(Blind, Cancel), tooRich, nil},
		{RefusedForgotten, single().With(Refuse), "order 1, which was refused, counts as one that was given back", nil},
		{ReleaseSequence, couple(1).With(Blind, Cancel).hidden(), noReturn, nil},
		{ReleaseMarked, couple(1).With(Blind, Cancel).hidden(), noReturn, nil},
		{CreditThroughOutbox, twin().With(Transfer), tooRich, nil},
		{TransferJournaled, twin().With(Transfer, Crash), "leak: loaded 1, settled 0, released 0, but available 0", nil},
		{TransferGuard, sent(), tooMany, nil},
		{LateTransferMovesNothing, twin().With(Transfer, Rewind).steady(), falseLoss, nil},
		{WholeSKU, twin().With(Transfer, Ask), untrueEnd, nil},
		{SoldOutByBooks, twin().With(Transfer, Ask), untrueEnd, nil},
		{SoldOutReadAgain, forgotten(), untrueEnd, nil},
	}
}

func breachesOfChanges() []Breach {
	unconserved := Broken("the loaded units are not conserved")
	nothing := Broken("leak: loaded 1, settled 0, released 0, but available 0")
	return []Breach{
		{ChangeOnce, alone(1).With(Raise, Repeat), unconserved, nil},
		{RaiseThroughOutbox, alone(1).With(Raise, FalseAlarm), "leak: loaded 2, settled 0, released 0, but available 1", nil},
		{TakeUnsold, alone(1).With(Take), "redis has fewer than no units", nil},
		{TakeAlone, alone(3).With(Take, Take), "leak: loaded 2, settled 0, released 0, but available 0", nil},
		{TakeReportsFound, alone(1).With(Take, Unknown), nothing, nil},
		{FoundOfItsRow, pressing(1).With(Take, Take, Zombie), falseLoss, nil},
		{FoundOnce, alone(1).With(Take, Zombie), tooMany, nil},
		{FoundLowersLoaded, alone(1).With(Take), nothing, nil},
		{FoundGuard, uneven().With(Take, Blind), tooMany, nil},
	}
}

// pressing is one buyer for so many units of either SKU.
func pressing(stock int8, presses ...Press) Setup {
	return Setup{Buckets: 1, Stock: units{stock, stock}, Limit: 1, Batch: 1, Buyers: [][]Press{presses}}
}

// atMost is the setup with a limit of units of all SKUs a buyer.
func (s Setup) atMost(limit int) Setup {
	s.SaleLimit = limit
	return s
}

// basket is a buyer of the second SKU and one of both, for one unit each.
func basket() Setup {
	return Setup{Buckets: 1, Stock: units{1, 1}, Limit: 1, Batch: 1, Buyers: [][]Press{{{0, 1, 0}}, {{1, 1, 0}}}}
}

// uneven is a buyer of two units and one of one.
func uneven() Setup {
	return Setup{Buckets: 1, Stock: units{3}, Limit: 2, Batch: 1, Buyers: [][]Press{{{2, 0, 0}}, {{1, 0, 0}}}}
}

// forgetful is a buyer of two orders of one SKU who presses for the other with the key of the first, where Redis keeps one
// released order of a SKU.
func forgetful() Setup {
	s := hoarder()
	s.Stock, s.Buyers = units{2, 1}, [][]Press{{{1, 0, 1}, {1, 0, 2}, {0, 1, 1}}}
	return s
}

// alone is one buyer who presses some quantities, without keys, for so many units.
func alone(stock int8, quantities ...uint8) Setup {
	s := Setup{Buckets: 1, Stock: units{stock}, Limit: 1, Batch: 1, Buyers: make([][]Press, 1)}
	for _, quantity := range quantities {
		s.Buyers[0] = append(s.Buyers[0], Press{quantity, 0, 0})
	}
	return s
}

// hoarder is a buyer of two orders who presses with the key of the first again, where Redis keeps one released order.
func hoarder() Setup {
	return Setup{Buckets: 1, Stock: units{3}, Limit: 2, Batch: 1, Kept: 1, Buyers: [][]Press{{{1, 0, 1}, {1, 0, 2}, {1, 0, 1}}}}
}

// beside is a buyer of the second of two buckets, who presses twice.
func beside() Setup {
	s := twin()
	s.Buyers[0], s.Buyers[1] = nil, []Press{{1, 0, 0}, {1, 0, 0}}
	return s
}

// couple is two buyers who press once.
func couple(stock int8) Setup {
	return Setup{Buckets: 1, Stock: units{stock}, Limit: 1, Batch: 1, Buyers: [][]Press{{{1, 0, 0}}, {{1, 0, 0}}}}
}

// grown is a call of two purchases whose answer is lost: one of them was taken and settled. Before it a buyer took two
// units in one write. When Redis goes back to the beginning and that buyer takes one unit, the repeated call takes both, at
// the same sequence and under the same first order.
func grown() Setup {
	s := Setup{Buckets: 1, Stock: units{3}, Limit: 2, Batch: 2,
		Buyers: [][]Press{{{2, 0, 0}, {1, 0, 0}}, {{1, 0, 0}, {1, 0, 0}}}}.
		With(Blind, Unknown)
	s.After = []string{"[0] (the replica", "[0] calls: order 1 of 2 for a", "[0] publishes", "[0] settles", "[0] trims",
		"[0] calls for two, the answer is lost: order 2 of 1 for b ("}
	return s
}

// again is a call whose answer is lost, after a replica has stopped following.
func again() Setup {
	s := alone(2, 1, 1).With(Blind, Unknown)
	s.Limit = 2
	s.After = []string{"[0] (the replica", "[0] calls, the answer is lost"}
	return s
}

// between is a rebuild after its journal is published and before Redis is loaded.
func between() Setup {
	s := couple(2).With(FalseAlarm, Blind, Held)
	s.After = []string{"[0] calls: order 1 of 1 for a", "[0] publishes", "[0] trims", "[0] settles", "[0] (the replica",
		"[0] (a)", "[0] (b)", "[0] (c) reads", "[0] (d) writes", "[0] settles", "[0] (d) settlement", "[0] (e)"}
	return s
}

// gap is two orders settled together, the first of which is cancelled.
func gap() Setup {
	s := couple(2).With(Blind, Cancel, Cancel).hidden()
	s.Batch = 2
	s.After = []string{"[0] calls for two", "[0] publishes", "[0] trims", "[0] settles", "[0] (the replica",
		"[1] order is cancelled"}
	return s
}

// sent is two buckets of two, of which the first has just forgotten an order that its gateway is about to publish.
func sent() Setup {
	s := crowded().With(Transfer, Blind).steady()
	s.After = []string{"[0] (the replica", "[0] calls: order 1", "[0] REDIS GOES BACK"}
	return s
}

// forgotten is an order that its gateway has left in the journal and that a replica does not have.
func forgotten() Setup {
	s := twin().With(Blind, Held, Ask).steady()
	s.After = []string{"[0] (the replica", "[0] calls: order 1 of 1 for a", "[0] answers held"}
	return s
}
