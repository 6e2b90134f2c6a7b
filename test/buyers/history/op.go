// Package history records every operation of a crowd, with the moment before the question was sent and the moment after it
// was answered. It is the checkers' only source for what buyers, shops and operators did.
//
// A history is also a file of JSON lines, two for an operation: `invoke` when it is sent; `ok`, `refused` or `perhaps` when
// it ends. `perhaps` means that the outcome is unknown: there was no answer, the connection broke, or the answer reports an
// unknown outcome.
package history

import "time"

// Verb is the kind of a question.
type Verb string

// What buyers (Buy, Read, List, Cancel), the shop (Pay, ShopCancel) and operators (Pause, Resume, Restock) ask.
const (
	Buy        Verb = "buy"
	Read       Verb = "read"
	List       Verb = "list"
	Cancel     Verb = "cancel"
	ShopCancel Verb = "shop_cancel"
	Pay        Verb = "pay"
	Pause      Verb = "pause"
	Resume     Verb = "resume"
	Restock    Verb = "restock" // units of a SKU are added or taken back
)

// End is how an operation ended.
type End string

// Open is an operation that has not ended yet.
const (
	Open    End = "invoke"
	OK      End = "ok"
	Refused End = "refused"
	Perhaps End = "perhaps"
)

// Seen is one order as an answer showed it. SKU and Quantity are those of an order of one line.
type Seen struct {
	Order      string `json:"order_id"`
	Status     string `json:"status"`
	Reason     string `json:"reason,omitempty"`
	SKU        string `json:"sku,omitempty"`
	Quantity   int    `json:"quantity,omitempty"`
	Lines      []Line `json:"lines,omitempty"`
	TotalCents int64  `json:"total_cents,omitempty"`
	CreatedMS  int64  `json:"created_ms,omitempty"`
}

// Question holds the members of an operation that are known before it is sent.
type Question struct {
	Verb     Verb   `json:"verb"`
	Sale     string `json:"sale"`
	SKU      string `json:"sku,omitempty"`
	Buyer    string `json:"buyer,omitempty"`
	Key      string `json:"key,omitempty"`
	Quantity int    `json:"quantity,omitempty"`
	Lines    string `json:"lines,omitempty"`   // buy: of an order of several lines, in the form of LinesText; SKU is empty
	Add      int64  `json:"add,omitempty"`     // restock: units, negative to take back
	Order    string `json:"order,omitempty"`   // read, cancel, pay: which one
	Payment  string `json:"payment,omitempty"` // pay: its id
	Gateway  int    `json:"gateway"`
}

// Answer holds the members of an operation that its answer sets.
type Answer struct {
	End       End    `json:"end"`
	Status    int    `json:"status,omitempty"`    // HTTP; 0 when there was no answer
	Code      string `json:"code,omitempty"`      // of a problem, else one of the client's own codes
	Orders    []Seen `json:"orders,omitempty"`    // every order that the answer showed
	Named     string `json:"named,omitempty"`     // the order that a problem names
	NamedIs   string `json:"named_is,omitempty"`  // the status that a problem gives it
	NamedSKU  string `json:"named_sku,omitempty"` // the SKU that a problem names
	Scope     string `json:"scope,omitempty"`     // already_bought, over_limit: whose limit it is, sku or sale
	Bought    int    `json:"bought,omitempty"`    // already_bought
	Available int64  `json:"available,omitempty"` // not_enough
	Added     int64  `json:"added,omitempty"`     // restock
}

// Op is one operation. Times are Unix microseconds by the clock of the machine, which is Redis's clock too.
type Op struct {
	N      int   `json:"n"`
	Invoke int64 `json:"invoke_us"`
	Return int64 `json:"return_us,omitempty"`
	Question
	Answer
}

// Order returns the order that the answer to a Buy shows or names, the zero Seen when there is none.
func (o *Op) Order() Seen {
	if o.End == OK && len(o.Orders) == 1 {
		return o.Orders[0]
	}
	return Seen{}
}

// Codes that the client sets when there is no answer of the contract.
const (
	NotSent    = "not_sent"   // no connection: refused, because nothing was sent
	NoAnswer   = "no_answer"  // the connection broke: perhaps
	Unreadable = "unreadable" // the answer has no JSON of the contract: perhaps
)

// Word returns the status of the one order that the answer shows, else the answer's code, and "no answer" for an operation
// without an answer.
func (o *Op) Word() string {
	switch {
	case o.Status == 0:
		return "no answer"
	case o.End == OK && len(o.Orders) == 1:
		return o.Orders[0].Status
	}
	return o.Code
}

// Definite reports whether the answer to a purchase decides its key for good: an order, or a refusal for a reason that
// stays. A purchase before the start of its sale is repeated.
func (o *Op) Definite() bool {
	return o.End == OK || o.End == Refused && o.Status == 409 && o.Code != "not_started"
}

// Words counts operations by their words.
func Words(ops []Op) map[string]int {
	counts := map[string]int{}
	for i := range ops {
		counts[ops[i].Word()]++
	}
	return counts
}

// Sent returns the moment before the question was sent.
func (o *Op) Sent() time.Time { return time.UnixMicro(o.Invoke) }

// Got returns the moment after the answer was read.
func (o *Op) Got() time.Time { return time.UnixMicro(o.Return) }
