package buyers

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"flashsale/test/buyers/history"
)

// tokenLasts is longer than every suite and every step of a clock in it.
const tokenLasts = 20 * time.Hour

// Gateway is the two listeners of a gateway, host:port.
type Gateway struct{ Buyers, Operators string }

// Deployment has the addresses of a deployment and the secrets to use it.
type Deployment struct {
	Gateways []Gateway
	Secret   string // of the buyers' tokens
	Shop     string // the shop's token
	Operator string // the operators' token

	tokens sync.Map // buyer to token
}

// Token returns the buyer's token, signed once.
func (d *Deployment) Token(buyer string) string {
	if made, known := d.tokens.Load(buyer); known {
		return made.(string)
	}
	made := Token(d.Secret, buyer, tokenLasts)
	d.tokens.Store(buyer, made)
	return made
}

// call is the request of a question without its headers.
type call struct{ address, method, path, bearer, body string }

func (d *Deployment) call(q *history.Question) call {
	g := d.Gateways[q.Gateway]
	t := call{g.Buyers, http.MethodGet, "/v1/sales/" + q.Sale + "/items/" + q.SKU + "/orders", "", ""}
	if q.SKU == "" {
		t.path = "/v1/sales/" + q.Sale + "/orders"
	}
	switch q.Verb {
	case history.Buy:
		t.method, t.body = http.MethodPost, purchase(q)
	case history.Read:
		t.path += "/" + q.Order
	case history.Cancel:
		t.method, t.path = http.MethodDelete, t.path+"/"+q.Order
	case history.ShopCancel:
		t = call{g.Operators, http.MethodDelete, "/admin/v1/orders/" + q.Order, d.Shop, ""}
	case history.Pay:
		t = call{g.Operators, http.MethodPut, "/admin/v1/orders/" + q.Order + "/payment", d.Shop,
			fmt.Sprintf(`{"payment_id":%q}`, q.Payment)}
	case history.Restock:
		t = call{g.Operators, http.MethodPost, "/admin/v1/sales/" + q.Sale + "/items/" + q.SKU + "/stock", d.Operator,
			fmt.Sprintf(`{"add":%d}`, q.Add)}
	case history.Pause, history.Resume:
		t = call{g.Operators, http.MethodPost, "/admin/v1/sales/" + q.Sale + "/" + string(q.Verb), d.Operator, ""}
	}
	if t.bearer == "" {
		t.bearer = d.Token(q.Buyer)
	}
	return t
}

// purchase is the body of a purchase.
func purchase(q *history.Question) string {
	switch {
	case q.SKU == "":
		lines := make([]string, 0, 4)
		for _, line := range q.Wanted() {
			lines = append(lines, fmt.Sprintf(`{"sku":%q,"quantity":%d}`, line.SKU, line.Quantity))
		}
		return `{"lines":[` + strings.Join(lines, ",") + "]}"
	case q.Quantity > 0:
		return `{"quantity":` + strconv.Itoa(q.Quantity) + "}"
	}
	return ""
}

// appendTo writes the request in the form of HTTP/1.1.
func (t *call) appendTo(out []byte, key string) []byte {
	for _, part := range []string{t.method, " ", t.path, " HTTP/1.1\r\nHost: ", t.address, "\r\nAuthorization: Bearer ",
		t.bearer, "\r\n"} {
		out = append(out, part...)
	}
	if key != "" {
		out = append(append(append(out, `Idempotency-Key: "`...), key...), "\"\r\n"...)
	}
	out = append(out, "Content-Length: "...)
	out = append(strconv.AppendInt(out, int64(len(t.body)), 10), "\r\n\r\n"...)
	return append(out, t.body...)
}

// Client is one app: a keep-alive connection to each listener that it has asked. It asks one question at a time.
type Client struct {
	to    *Deployment
	conns map[string]*Conn // by address
	out   []byte
}

// NewClient returns a client without connections.
func (d *Deployment) NewClient() *Client { return &Client{to: d, conns: map[string]*Conn{}} }

// Ask sends one question and returns its answer in the words of the history. Without a connection nothing was sent, so the
// answer is refused with the code not_sent; when the connection breaks afterwards the answer is perhaps.
func (c *Client) Ask(q history.Question) history.Answer {
	t := c.to.call(&q)
	conn, err := c.connection(t.address)
	if err != nil {
		return history.Answer{End: history.Refused, Code: history.NotSent}
	}
	c.out = t.appendTo(c.out[:0], q.Key)
	status, header, body, err := conn.Exchange(c.out)
	if err != nil {
		c.drop(t.address)
		return history.Answer{End: history.Perhaps, Code: history.NoAnswer}
	}
	if strings.EqualFold(header["connection"], "close") {
		c.drop(t.address)
	}
	return understand(q.Verb, status, body)
}

func (c *Client) connection(address string) (*Conn, error) {
	if open := c.conns[address]; open != nil {
		if !open.stale() {
			return open, nil
		}
		c.drop(address)
	}
	opened, err := Dial(address)
	if err != nil {
		return nil, err
	}
	c.conns[address] = opened
	return opened, nil
}

func (c *Client) drop(address string) {
	_ = c.conns[address].Close() // it is broken or closed by the other end
	delete(c.conns, address)
}

// Close closes every connection; the client can be used afterwards.
func (c *Client) Close() {
	for address := range c.conns {
		c.drop(address)
	}
}
