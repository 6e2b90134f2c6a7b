package buyers

import (
	"encoding/json"
	"strings"
	"time"

	"flashsale/test/buyers/history"
)

// answerBody holds the members of an order, of a list of orders and of a problem.
type answerBody struct {
	orderBody
	Orders      []orderBody `json:"orders"`
	Code        string      `json:"code"`
	OrderStatus string      `json:"order_status"`
	Scope       string      `json:"scope"`
	Bought      int         `json:"bought"`
	Available   int64       `json:"available"`
	Added       int64       `json:"added"`
}

type orderBody struct {
	OrderID   string          `json:"order_id"`
	Status    json.RawMessage `json:"status"` // a word in an order, a number in a problem
	Reason    string          `json:"reason"`
	SKU       string          `json:"sku"`
	Quantity  int             `json:"quantity"`
	Lines     []history.Line  `json:"lines"`
	Total     int64           `json:"total_cents"`
	CreatedAt string          `json:"created_at"`
}

func (o *orderBody) seen() history.Seen {
	s := history.Seen{Order: o.OrderID, Status: strings.Trim(string(o.Status), `"`), Reason: o.Reason, SKU: o.SKU,
		Quantity: o.Quantity, Lines: o.Lines, TotalCents: o.Total}
	if at, err := time.Parse(time.RFC3339Nano, o.CreatedAt); err == nil {
		s.CreatedMS = at.UnixMilli()
	}
	return s
}

// understand reads an answer. A refused purchase has taken nothing; after a fault of the server the outcome of any other
// question is unknown.
func understand(verb history.Verb, status int, text []byte) history.Answer {
	a := history.Answer{End: history.Refused, Status: status}
	var body answerBody
	if err := json.Unmarshal(text, &body); err != nil {
		a.End, a.Code = history.Perhaps, history.Unreadable
		return a
	}
	if status < 300 {
		a.End = history.OK
		switch {
		case verb == history.List:
			for i := range body.Orders {
				a.Orders = append(a.Orders, body.Orders[i].seen())
			}
		case body.OrderID != "":
			a.Orders = []history.Seen{body.seen()}
		}
		a.Added = body.Added
		return a
	}
	a.Code, a.Named, a.NamedIs, a.Bought, a.Available = body.Code, body.OrderID, body.OrderStatus, body.Bought, body.Available
	a.NamedSKU, a.Scope = body.SKU, body.Scope
	if a.Code == "unknown" || a.Code == "" || (verb != history.Buy && status >= 500) {
		a.End = history.Perhaps
	}
	return a
}
