package loadtest

import (
	"encoding/json"
	"fmt"
	"net/http"

	"flashsale/sale"
)

// Told is what one buyer was told once: one line of a history. Every source (Rush, k6, vegeta) is read into it.
type Told struct {
	At          sale.Time `json:"at"` // when the answer was there
	Buyer       string    `json:"buyer"`
	Sale        string    `json:"sale"`
	SKU         string    `json:"sku"`
	Key         string    `json:"key,omitempty"`
	Quantity    int       `json:"quantity,omitempty"`
	Attempt     int       `json:"attempt"`
	Status      int       `json:"status"`             // HTTP, 0 when there was no answer
	Code        string    `json:"code"`               // an outcome's code, or one of the codes below
	OrderID     string    `json:"order_id,omitempty"` // decimal, whenever the answer named one
	OrderStatus string    `json:"order_status,omitempty"`
	LatencyUS   int64     `json:"latency_us"` // from the moment the attempt was meant to leave
	orderID     sale.OrderID
}

// Codes that no gateway gives: what a client makes of a connection.
const (
	CodeNoAnswer   = "no_answer"  // sent, then cut or timed out: perhaps taken
	CodeNotSent    = "not_sent"   // no connection: nothing can have been taken
	CodeUnreadable = "unreadable" // an answer that is no answer of the contract
)

// kind sorts answers by what they promise.
type kind int

const (
	kindRefused kind = iota // nothing was taken by this press
	kindPerhaps             // the buyer cannot know
	kindOrder               // an order of this buyer exists, with this id
)

func (t *Told) kind() kind {
	switch t.Code {
	case sale.OutcomeQueued.String(), sale.OutcomeHeld.String(), sale.OutcomeReplayed.String(),
		sale.OutcomeKeyReused.String(), sale.OutcomeAlreadyBought.String():
		if t.orderID != 0 {
			return kindOrder
		}
		return kindPerhaps // promised without a name: nothing to look for, nothing to rule out
	case CodeNoAnswer, CodeUnreadable, sale.OutcomeUnknown.String():
		return kindPerhaps
	}
	return kindRefused
}

// comesBack reports whether the app repeats the press by itself: after perhaps when there is a key to repeat it under
// (without one it would be a new purchase), and where nothing was taken and the gateway asks to come back.
func (t *Told) comesBack() bool {
	if t.kind() == kindPerhaps {
		return t.Key != ""
	}
	return t.Code == CodeNotSent || t.Code == sale.OutcomeNotStarted.String() ||
		t.Status == http.StatusTooManyRequests || t.Status == http.StatusServiceUnavailable
}

// answerBody holds the members of an order and of a problem that a buyer's app acts on.
type answerBody struct {
	Code    string `json:"code"`
	OrderID string `json:"order_id"`
	Status  any    `json:"status"` // of an order its status, of a problem the HTTP status
}

// readAnswer fills in status, code and order from an HTTP answer.
func (t *Told) readAnswer(status int, body []byte) {
	t.Status = status
	var answer answerBody
	if err := json.Unmarshal(body, &answer); err != nil {
		t.setCode(CodeUnreadable)
		return
	}
	t.OrderID = answer.OrderID
	word, isWord := answer.Status.(string)
	switch {
	case status == http.StatusAccepted && isWord:
		t.OrderStatus = word
		t.setCode(word) // queued or held are outcomes of their own
	case status == http.StatusOK && isWord:
		t.OrderStatus = word
		t.setCode(sale.OutcomeReplayed.String())
	case answer.Code != "" && status >= 400:
		t.setCode(answer.Code)
	default:
		t.setCode(CodeUnreadable)
	}
}

// setCode sets the code and checks the order id that came with it.
func (t *Told) setCode(code string) {
	t.Code = code
	if t.OrderID == "" {
		return
	}
	id, err := sale.ParseOrderID(t.OrderID)
	if err != nil {
		t.Code = CodeUnreadable
		return
	}
	t.orderID = id
}

// validate checks a line that was read from a file.
func (t *Told) validate() error {
	switch {
	case !sale.ValidBuyerID(t.Buyer):
		return fmt.Errorf("buyer %.70q is no buyer id", t.Buyer)
	case !sale.ValidID(t.SKU):
		return fmt.Errorf("sku %.70q is no SKU", t.SKU)
	case t.Code == "":
		return fmt.Errorf("buyer %s: an answer without a code", t.Buyer)
	}
	if t.OrderID != "" && t.orderID == 0 {
		t.setCode(t.Code)
		if t.orderID == 0 {
			return fmt.Errorf("buyer %s: order id %.40q: %w", t.Buyer, t.OrderID, sale.ErrOrderID)
		}
	}
	return nil
}
