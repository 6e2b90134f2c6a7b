package protocol

import "fmt"

// Rule is one rule of the protocol. A comment beside the engine's code for it has the same name.
type Rule uint8

// The rules, in the groups of docs/recovery.md; within a group the page has its own order.
const (
	// Taking stock.
	ScriptFence Rule = iota
	StateCompared
	SequenceCompared
	ReplidCompared
	EpochFromDatabase
	SameIDsAskedAgain
	CallDeadline
	AnswerAfterAck
	HeldWhileJournaled
	KeyOfSale
	KeyAnswersOnce
	KeyAnswersAfterRelease
	ReleasedCountsNot
	ReleasedBounded
	KeyNotForgotten
	LinesWhole
	SaleLimit
	TrimExact
	// Settling.
	MarkerHasBatchID
	DuplicateIsWhole
	LateIsRefused
	GuardWithReleased
	StockGuard
	LinesWholeInBooks
	LimitGuard
	SaleLimitInBooks
	KeyOnceInBooks
	OrderOnce
	DisagreementCloses
	// Rebuild.
	RedisClosedFirst
	CloseConditional
	JournalPublished
	FencePassed
	BeginIfClosed
	JournalNotCounted
	OutboxAbsorbed
	TakeAbsorbed
	OutboxNumberLoaded
	LoadConditional
	LoadCounted
	JournalStays
	Verify
	OthersClosed
	OpenIfLoading
	SequenceWatched
	StateWatched
	// Giving back and moving.
	ReleaseInEpoch
	ReleaseOnce
	ReleaseInOrder
	ReleaseKnown
	RefusedForgotten
	ReleaseSequence
	ReleaseMarked
	CreditThroughOutbox
	TransferJournaled
	TransferGuard
	LateTransferMovesNothing
	WholeSKU
	SoldOutByBooks
	SoldOutReadAgain
	// Changing stock.
	ChangeOnce
	RaiseThroughOutbox
	TakeUnsold
	TakeAlone
	TakeReportsFound
	FoundOfItsRow
	FoundOnce
	FoundLowersLoaded
	FoundGuard
	ruleCount
)

var ruleNames = [ruleCount]string{
	"script-fence", "state-compared", "sequence-compared", "replid-compared", "epoch-from-database",
	"same-ids-asked-again", "call-deadline", "answer-after-ack", "held-while-journaled", "key-of-sale", "key-answers-once",
	"key-answers-after-release", "released-counts-not", "released-bounded", "key-not-forgotten", "lines-whole", "sale-limit",
	"trim-exact",
	"marker-has-batch-id", "duplicate-is-whole", "late-is-refused", "guard-with-released", "stock-guard",
	"lines-whole-in-books", "limit-guard", "sale-limit-in-books", "key-once-in-books", "order-once",
	"disagreement-closes",
	"redis-closed-first", "close-conditional", "journal-published", "fence-passed", "begin-if-closed",
	"journal-not-counted", "outbox-absorbed", "take-absorbed", "outbox-number-loaded", "load-conditional", "load-counted",
	"journal-stays", "verify", "others-closed",
	"open-if-loading", "sequence-watched", "state-watched",
	"release-in-epoch", "release-once", "release-in-order", "release-known", "refused-forgotten", "release-sequence",
	"release-marked",
	"credit-through-outbox", "transfer-journaled", "transfer-guard", "late-transfer-moves-nothing",
	"whole-sku", "sold-out-by-books", "sold-out-read-again",
	"change-once", "raise-through-outbox", "take-unsold", "take-alone", "take-reports-found", "found-of-its-row", "found-once",
	"found-lowers-loaded", "found-guard",
}

// String returns the rule's name.
func (r Rule) String() string { return ruleNames[r] }

// Rules returns all of them.
func Rules() []Rule {
	all := make([]Rule, ruleCount)
	for i := range all {
		all[i] = Rule(i)
	}
	return all
}

// ParseRule finds a rule by its name.
func ParseRule(name string) (Rule, error) {
	for i, n := range ruleNames {
		if n == name {
			return Rule(i), nil
		}
	}
	return 0, fmt.Errorf("no rule is named %q", name)
}

// Off is a set of rules that are switched off.
type Off [ruleCount]bool

// Without switches rules off.
func Without(rules ...Rule) Off {
	var off Off
	for _, r := range rules {
		off[r] = true
	}
	return off
}

// keeps reports whether a rule is on.
func (s *Setup) keeps(r Rule) bool { return !s.Off[r] }
