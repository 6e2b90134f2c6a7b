package chaos

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"flashsale/test/buyers/history"
)

// Waits of a buyer's app. A gateway answers within five seconds; one that is frozen does not answer at all.
const (
	patience   = 7 * time.Second
	dialing    = time.Second
	bodyLimit  = 1 << 20
	notSent    = "not_sent"
	noAnswer   = "no_answer"
	unreadable = "unreadable"
)

// client is an app's connection to the gateways.
type client struct{ *http.Client }

func newClient() *client {
	return &client{&http.Client{Timeout: patience, Transport: &http.Transport{
		DialContext: (&net.Dialer{Timeout: dialing}).DialContext, MaxIdleConnsPerHost: 2, DisableCompression: true,
	}}}
}

// ask sends one question and reads the answer into the words of the history.
func (c *client) ask(from *crowd, q history.Question) history.Answer {
	request, err := from.request(q)
	if err != nil {
		return history.Answer{End: history.Refused, Code: notSent}
	}
	answer, err := c.Do(request)
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) && op.Op == "dial" {
			return history.Answer{End: history.Refused, Code: notSent}
		}
		return history.Answer{End: history.Perhaps, Code: noAnswer}
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, bodyLimit))
	if err != nil {
		return history.Answer{End: history.Perhaps, Status: answer.StatusCode, Code: noAnswer}
	}
	return read(q, answer.StatusCode, body)
}

// request builds the HTTP request of a question.
func (c *crowd) request(q history.Question) (*http.Request, error) {
	g := c.w.gateways[q.Gateway]
	path := fmt.Sprintf("http://%s/v1/sales/%s/items/%s/orders", g.buyers, q.Sale, q.SKU)
	admin := "http://" + g.operators + "/admin/v1/"
	method, bearer, body := http.MethodGet, c.token(q.Buyer), ""
	switch q.Verb {
	case history.Buy:
		method, body = http.MethodPost, fmt.Sprintf(`{"quantity":%d}`, q.Quantity)
	case history.Read:
		path += "/" + q.Order
	case history.Cancel:
		method, path = http.MethodDelete, path+"/"+q.Order
	case history.ShopCancel:
		method, path, bearer = http.MethodDelete, admin+"orders/"+q.Order, shopToken
	case history.Pay:
		method, path, bearer = http.MethodPut, admin+"orders/"+q.Order+"/payment", shopToken
		body = fmt.Sprintf(`{"payment_id":%q}`, q.Payment)
	case history.Pause, history.Resume:
		method, path, bearer = http.MethodPost, admin+"sales/"+q.Sale+"/"+string(q.Verb), adminToken
	}
	request, err := http.NewRequest(method, path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+bearer)
	if q.Key != "" {
		request.Header.Set("Idempotency-Key", `"`+q.Key+`"`)
	}
	return request, nil
}

// answerBody holds the members of an order, of a list of orders and of a problem.
type answerBody struct {
	orderBody
	Orders      []orderBody `json:"orders"`
	Code        string      `json:"code"`
	OrderStatus string      `json:"order_status"`
	Bought      int         `json:"bought"`
	Available   int64       `json:"available"`
}

type orderBody struct {
	OrderID   string          `json:"order_id"`
	Status    json.RawMessage `json:"status"` // a word in an order, a number in a problem
	Reason    string          `json:"reason"`
	SKU       string          `json:"sku"`
	Quantity  int             `json:"quantity"`
	CreatedAt string          `json:"created_at"`
}

func (o *orderBody) seen() history.Seen {
	s := history.Seen{Order: o.OrderID, Status: strings.Trim(string(o.Status), `"`), Reason: o.Reason, SKU: o.SKU, Quantity: o.Quantity}
	if at, err := time.Parse(time.RFC3339Nano, o.CreatedAt); err == nil {
		s.CreatedMS = at.UnixMilli()
	}
	return s
}

// read understands an answer. A refusal of a purchase means that nothing was taken; of everything else a fault of the
// server means that nobody knows.
func read(q history.Question, status int, text []byte) history.Answer {
	a := history.Answer{End: history.Refused, Status: status}
	var body answerBody
	if err := json.Unmarshal(text, &body); err != nil {
		a.End, a.Code = history.Perhaps, unreadable
		return a
	}
	if status < 300 {
		a.End = history.OK
		switch {
		case q.Verb == history.List:
			for _, o := range body.Orders {
				a.Orders = append(a.Orders, o.seen())
			}
		case body.OrderID != "":
			a.Orders = []history.Seen{body.seen()}
		}
		return a
	}
	a.Code, a.Named, a.NamedIs, a.Bought, a.Available = body.Code, body.OrderID, body.OrderStatus, body.Bought, body.Available
	if a.Code == "unknown" || a.Code == "" || (q.Verb != history.Buy && status >= 500) {
		a.End = history.Perhaps
	}
	return a
}
