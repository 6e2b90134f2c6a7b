package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"time"

	"flashsale/test/check"
	"flashsale/test/stack"
)

// officeWithin bounds one request of the operators' office. It is longer than every pause of a process, so that no request
// arrives after the next one has been answered: a definition has no key that would make it count once.
const officeWithin = mustWithin

// office sends one request of an operator to a gateway, with an idempotency key unless it is "".
func (w *world) office(gateway int, method, path, key string, body any) (status int, answer []byte, err error) {
	var text []byte
	if body != nil {
		if text, err = json.Marshal(body); err != nil {
			w.t.Fatal(err)
		}
	}
	address := "http://" + w.Gateways[gateway].Operators + "/admin/v1/" + path
	request, err := http.NewRequest(method, address, bytes.NewReader(text))
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Authorization", "Bearer "+stack.AdminToken)
	if key != "" {
		request.Header.Set("Idempotency-Key", `"`+key+`"`)
	}
	reply, err := (&http.Client{Timeout: officeWithin}).Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer reply.Body.Close()
	answer, err = io.ReadAll(reply.Body)
	return reply.StatusCode, answer, err
}

// restocked is the answer to a change of the stock.
type restocked struct {
	SKU    string `json:"sku"`
	Added  int64  `json:"added"`
	Loaded int64  `json:"loaded"`
}

// changeStock asks a gateway once to add units to an item, or to take some back.
func (w *world) changeStock(gateway int, saleID, sku, key string, add int64) (int, restocked, error) {
	var done restocked
	path := "sales/" + saleID + "/items/" + sku + "/stock"
	status, text, err := w.office(gateway, http.MethodPost, path, key, map[string]int64{"add": add})
	if err == nil && status == http.StatusOK {
		err = json.Unmarshal(text, &done)
	}
	return status, done, err
}

// note adds to the history what a change has done between two moments.
func (s *saleUnderTest) note(i int, units int64, from time.Time) {
	s.items[i].Stock += units
	if units != 0 {
		s.changes = append(s.changes, check.StockChange{Sale: s.id, SKU: s.items[i].SKU, Units: units, FromUS: from.UnixMicro(),
			ToUS: time.Now().UnixMicro()})
	}
}

// clerk changes the stock of the sales while they sell and everything breaks: by requests with keys, which it repeats, and by
// definitions. It adds the items that are to come later, and archives a sale of the round before.
type clerk struct {
	w      *world
	random *rand.Rand
	keys   int
	faults []check.Fault
}

func newClerk(w *world, seed uint64) *clerk {
	return &clerk{w: w, random: rand.New(rand.NewPCG(seed, 1<<34))}
}

// Bounds of the clerk's work.
const (
	clerkLeast, clerkMost = 500 * time.Millisecond, 3 * time.Second
	mostChanged           = 25 // units of one change
)

// run works until ctx ends, and completes the change that it has begun. The items that come later are there from its first
// step on.
func (c *clerk) run(ctx context.Context) {
	for _, s := range c.w.sales {
		c.addItems(s)
	}
	for _, id := range c.w.ended {
		c.archive(id)
	}
	c.w.ended = nil
	for ctx.Err() == nil {
		s := pick(c.random, c.w.sales)
		i, units := c.random.IntN(len(s.items)), 1+c.random.Int64N(mostChanged)
		switch dice := c.random.IntN(8); {
		case dice < 3:
			c.change(s, i, units)
		case dice < 6:
			c.change(s, i, -units)
		case time.Now().After(s.ends):
		case dice == 6:
			c.define(s, i, units)
		default:
			c.define(s, i, -min(units, s.items[i].Stock))
		}
		select {
		case <-ctx.Done():
		case <-time.After(clerkLeast + time.Duration(c.random.Int64N(int64(clerkMost-clerkLeast)))):
		}
	}
}

// fault notes a breach of what an operator is promised.
func (c *clerk) fault(format string, args ...any) {
	c.faults = append(c.faults, check.Fault{Check: "stock changes", Text: fmt.Sprintf(format, args...)})
}

// change asks for one change of the stock until it is answered, and then once more: a repeat has the answer of the first.
// Another number with that key is refused.
func (c *clerk) change(s *saleUnderTest, i int, add int64) {
	c.keys++
	key, sku, from := fmt.Sprintf("change %d", c.keys), s.items[i].SKU, time.Now()
	done, answered := c.changed(s.id, sku, key, add)
	if !answered {
		return
	}
	s.note(i, done.Added, from)
	if add > 0 && done.Added != add || add < 0 && (done.Added < add || done.Added > 0) {
		c.fault("%s/%s: asked to add %d, added %d", s.id, sku, add, done.Added)
	}
	if again, answered := c.changed(s.id, sku, key, add); answered && again != done {
		c.fault("%s/%s: %q was answered %+v, and then %+v", s.id, sku, key, done, again)
	}
	status, _, err := c.w.changeStock(c.anyGateway(), s.id, sku, key, add+1)
	if err == nil && status < http.StatusInternalServerError && status != http.StatusUnprocessableEntity && add != -1 {
		c.fault("%s/%s: %q with another number was answered %d", s.id, sku, key, status)
	}
}

// changed repeats a change until it is answered. What cannot succeed is a fault.
func (c *clerk) changed(saleID, sku, key string, add int64) (done restocked, answered bool) {
	for deadline := time.Now().Add(mustWithin); ; <-time.After(100 * time.Millisecond) {
		status, done, err := c.w.changeStock(c.anyGateway(), saleID, sku, key, add)
		switch {
		case err == nil && status == http.StatusOK:
			return done, true
		case err == nil && (status == http.StatusBadRequest || status == http.StatusNotFound ||
			status == http.StatusUnprocessableEntity), time.Now().After(deadline):
			c.fault("%s/%s: adding %d with key %q was answered %d (%v)", saleID, sku, add, key, status, err)
			return done, false
		}
	}
}

func (c *clerk) anyGateway() int { return c.random.IntN(len(c.w.Gateways)) }

// addItems adds by one definition the items that come later, with units.
func (c *clerk) addItems(s *saleUnderTest) {
	for i := range s.items {
		if s.items[i].later {
			s.items[i].later = false
			c.define(s, i, 60)
		}
	}
}

// archive ends a sale of an earlier round for good.
func (c *clerk) archive(id string) {
	for deadline := time.Now().Add(mustWithin); ; <-time.After(100 * time.Millisecond) {
		status, text, err := c.w.office(c.anyGateway(), http.MethodDelete, "sales/"+id, "", nil)
		switch {
		case err == nil && status == http.StatusOK:
			return
		case time.Now().After(deadline):
			c.fault("%s is not archived: %d %s (%v)", id, status, text, err)
			return
		}
	}
}

// define changes the stock of an item by a definition: to as much as it has now and some more, or less. The answer says what
// the stock has become, because units that buyers have are not taken back.
func (c *clerk) define(s *saleUnderTest, i int, add int64) {
	from, before := time.Now(), s.items[i].Stock
	s.items[i].Stock += add
	body := s.definition(nil)
	s.items[i].Stock = before
	for deadline := time.Now().Add(mustWithin); ; <-time.After(100 * time.Millisecond) {
		status, text, err := c.w.office(c.anyGateway(), http.MethodPut, "sales/"+s.id, "", body)
		stock, known := stockIn(text, s.items[i].SKU)
		switch {
		case err == nil && status == http.StatusOK && known:
			s.note(i, stock-before, from)
			if stock < before+add || stock > max(before, before+add) {
				c.fault("%s/%s: the stock was %d, a definition asked for %d, it became %d", s.id, s.items[i].SKU, before,
					before+add, stock)
			}
			return
		case err == nil && status == http.StatusBadRequest, time.Now().After(deadline):
			c.fault("%s: the definition %v was answered %d %s (%v)", s.id, body, status, text, err)
			return
		}
	}
}

// stockIn reads the stock of an item from a sale's document.
func stockIn(text []byte, sku string) (stock int64, known bool) {
	var document struct{ Items []item }
	if json.Unmarshal(text, &document) != nil {
		return 0, false
	}
	for _, i := range document.Items {
		if i.SKU == sku {
			return i.Stock, true
		}
	}
	return 0, false
}
