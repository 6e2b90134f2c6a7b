package sale

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// Verbs of the trail. Those of requests are named like their routes.
const (
	VerbCreate   = "create"
	VerbChange   = "change"
	VerbBuyers   = "buyers"
	VerbPreload  = "preload"
	VerbOpen     = "open"
	VerbPause    = "pause"
	VerbResume   = "resume"
	VerbClose    = "close"
	VerbStock    = "stock"
	VerbFreeze   = "freeze"
	VerbThaw     = "thaw"
	VerbExtend   = "extend"
	VerbRules    = "rules"
	VerbCancel   = "cancel"
	VerbPay      = "pay"
	VerbReplay   = "replay"
	VerbRefuse   = "refuse"
	VerbLogLevel = "log_level"
	VerbArchive  = "archive"
	VerbBrake    = "brake"
	VerbRebuild  = "rebuild"
)

// OutcomeDone is the outcome of a change that was made. A refused one has the code of its answer.
const OutcomeDone = "done"

// Change is what a trail entry says about a change. The actor comes from the context.
type Change struct {
	Sale   string // id of the sale that it concerns, empty for none
	Verb   string
	Target string // sale/ID, order/ID, deadletter/ID, process/NAME, sale/ID/items/SKU, rules
	Before any    // marshalled to JSON; nil is null
	After  any
}

// TargetSale names a sale in the trail.
func TargetSale(id string) string { return "sale/" + id }

// TargetOrder names an order in the trail.
func TargetOrder(id OrderID) string { return "order/" + id.String() }

// TargetProcess names a process in the trail.
func TargetProcess(name string) string { return "process/" + name }

// TargetItem names a SKU of a sale in the trail.
func TargetItem(sale, sku string) string { return "sale/" + sale + "/items/" + sku }

// TargetLetter names a dead letter in the trail.
func TargetLetter(id string) string { return "deadletter/" + id }

// TargetRules is the target of a change of the rules.
const TargetRules = "rules"

// TrailEntry is one row of the trail: who changed what, when, and with which result.
type TrailEntry struct {
	ID        int64           `json:"id"`
	At        Time            `json:"at"` // by the database's clock
	Who       string          `json:"who"`
	Role      Role            `json:"role"`
	Verb      string          `json:"verb"`
	Target    string          `json:"target"`
	Sale      string          `json:"sale,omitempty"`
	Before    json.RawMessage `json:"before"`
	After     json.RawMessage `json:"after"`
	Outcome   string          `json:"outcome"`
	RequestID string          `json:"request_id"`

	// Position and Hash are the entry's place in the chain: 1, 2, 3, … and the link of TrailLink. Position is 0 for the
	// second or so until the entry is chained.
	Position int64  `json:"position"`
	Hash     string `json:"hash"`
}

// TrailHead is the end of the chain: the position and the hash of the last chained entry, 0 and empty for none.
type TrailHead struct {
	Position int64  `json:"position"`
	Hash     string `json:"hash"`
}

// Link returns the entry's hash in the chain: the SHA-256 sum, in hexadecimal digits, of a JSON array of texts: the hash of
// the entry before (empty for the first), position, id, at, who, role, verb, target, sale, before, after, outcome and
// request_id.
func (e *TrailEntry) Link(previous string) string {
	texts := []string{
		previous, strconv.FormatInt(e.Position, 10), strconv.FormatInt(e.ID, 10), e.At.String(), e.Who, string(e.Role), e.Verb,
		e.Target, e.Sale, string(e.Before), string(e.After), e.Outcome, e.RequestID,
	}
	encoded, _ := json.Marshal(texts) // texts always encode
	sum := sha256.Sum256(encoded)
	return hex.EncodeToString(sum[:])
}

// ErrTrailBroken is wrapped by the errors of TrailCheck.
var ErrTrailBroken = errors.New("the trail's chain is broken")

// TrailCheck verifies the chain from its head back. It is fed with the chained entries, highest position first.
type TrailCheck struct {
	Head  TrailHead
	Links int64       // entries that were fed
	later *TrailEntry // the entry after the next one in the chain
}

// Feed checks the entry with the next lower position against the entry after it.
func (c *TrailCheck) Feed(e TrailEntry) error {
	if c.later == nil {
		if e.Position != c.Head.Position || e.Hash != c.Head.Hash {
			return fmt.Errorf("%w: the last entry is %d, with position %d, and the chain ends at position %d", ErrTrailBroken,
				e.ID, e.Position, c.Head.Position)
		}
	} else if err := c.joins(&e); err != nil {
		return err
	}
	c.later = &e
	c.Links++
	return nil
}

// joins checks the later entry, whose predecessor is now known.
func (c *TrailCheck) joins(e *TrailEntry) error {
	if e.Position != c.later.Position-1 {
		return fmt.Errorf("%w: before entry %d, the entry with position %d is missing", ErrTrailBroken, c.later.ID,
			c.later.Position-1)
	}
	return c.verify(e.Hash)
}

func (c *TrailCheck) verify(previous string) error {
	if c.later.Link(previous) != c.later.Hash {
		return fmt.Errorf("%w: entry %d, %s %s by %s at %s, or the one before it, was changed", ErrTrailBroken,
			c.later.ID, c.later.Verb, c.later.Target, c.later.Who, c.later.At)
	}
	return nil
}

// End checks the first entry of the chain, after all entries were fed.
func (c *TrailCheck) End() error {
	switch {
	case c.later == nil && c.Head.Position == 0:
		return nil
	case c.later == nil:
		return fmt.Errorf("%w: it ends at position %d, and no entry is there", ErrTrailBroken, c.Head.Position)
	case c.later.Position != 1:
		return fmt.Errorf("%w: the entries before entry %d are missing", ErrTrailBroken, c.later.ID)
	}
	return c.verify("")
}

// TrailQuery selects entries of the trail.
type TrailQuery struct {
	Sale   string // of this sale only; empty: of all
	Since  Time   // at or after this time; zero: from the first
	Chain  bool   // chained entries in the order of the chain, last first; otherwise all, newest first
	Before int64  // entries with a lower id, or position where Chain is set; 0: all
	Limit  int    // at most so many
}

// TrailPage is what a query found, and the end of the chain at that moment.
type TrailPage struct {
	Entries []TrailEntry
	More    bool // there are further entries
	Head    TrailHead
}
