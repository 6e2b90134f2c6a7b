package loadtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"flashsale/sale"
)

// Told is one answer to one buyer: one line of a history. Every source (Rush, k6, vegeta) is converted to it.
type Told struct {
	At          sale.Time `json:"at"` // when the answer arrived
	Buyer       string    `json:"buyer"`
	Sale        string    `json:"sale"`
	Lines       []Asked   `json:"lines"` // what the press asked for
	Key         string    `json:"key,omitempty"`
	Attempt     int       `json:"attempt"`
	Status      int       `json:"status"`             // HTTP status, 0 without an answer
	Code        string    `json:"code"`               // an outcome's code, or one of the codes below
	OrderID     string    `json:"order_id,omitempty"` // decimal, whenever the answer contains one
	OrderStatus string    `json:"order_status,omitempty"`
	LatencyUS   int64     `json:"latency_us"` // from the moment the attempt was due
	orderID     sale.OrderID
	left        time.Time // when the attempt left; zero in a history
}

// Codes that no gateway sends; the client sets them for a connection without a valid answer.
const (
	CodeNoAnswer   = "no_answer"  // sent, then cut or timed out: perhaps taken
	CodeNotSent    = "not_sent"   // no connection: nothing can have been taken
	CodeUnreadable = "unreadable" // an answer outside the contract
)

// kind classifies answers by what they promise.
type kind int

const (
	kindRefused kind = iota // this press took nothing
	kindPerhaps             // the outcome is unknown to the buyer
	kindOrder               // an order of this buyer exists, with this id
)

func (t *Told) kind() kind {
	switch t.Code {
	case sale.OutcomeQueued.String(), sale.OutcomeHeld.String(), sale.OutcomeReplayed.String(),
		sale.OutcomeKeyReused.String(), sale.OutcomeAlreadyBought.String():
		if t.orderID != 0 {
			return kindOrder
		}
		return kindPerhaps // promised without an id, so the order can neither be found nor excluded
	case CodeNoAnswer, CodeUnreadable, sale.OutcomeUnknown.String():
		return kindPerhaps
	}
	return kindRefused
}

// ofThisPress reports whether the order of the answer is the one that this press became: its lines are those asked for.
func (t *Told) ofThisPress() bool {
	return t.Code != sale.OutcomeAlreadyBought.String() && t.Code != sale.OutcomeKeyReused.String()
}

// comesBack reports whether the app repeats the press by itself: after an unknown outcome when there is a key (without
// a key it would be a new purchase), and when nothing was taken and the gateway asks for a retry.
func (t *Told) comesBack() bool {
	if t.kind() == kindPerhaps {
		return t.Key != ""
	}
	return t.Code == CodeNotSent || t.Code == sale.OutcomeNotStarted.String() ||
		t.Status == http.StatusTooManyRequests || t.Status == http.StatusServiceUnavailable
}

// answerBody is the members of an order and of a problem that a buyer's app uses.
type answerBody struct {
	Code    string `json:"code"`
	OrderID string `json:"order_id"`
	Status  any    `json:"status"` // an order's status, or a problem's HTTP status
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

// setCode sets the code and checks the order id of the answer.
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
		return fmt.Errorf("buyer %.70q is not a buyer id", t.Buyer)
	case t.Code == "":
		return fmt.Errorf("buyer %s: an answer without a code", t.Buyer)
	case len(t.Lines) == 0 || len(t.Lines) > sale.MaxLines:
		return fmt.Errorf("buyer %s: a press of %d lines", t.Buyer, len(t.Lines))
	}
	for _, line := range t.Lines {
		if !sale.ValidID(line.SKU) {
			return fmt.Errorf("buyer %s: %.70q is not a SKU", t.Buyer, line.SKU)
		}
	}
	if t.OrderID != "" && t.orderID == 0 {
		t.setCode(t.Code)
		if t.orderID == 0 {
			return fmt.Errorf("buyer %s: order id %.40q: %w", t.Buyer, t.OrderID, sale.ErrOrderID)
		}
	}
	return nil
}
