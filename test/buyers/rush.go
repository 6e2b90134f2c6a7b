package buyers

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"flashsale/test/buyers/history"
)

// Rush describes the purchases of a rush: every buyer presses once, and Repeats further presses are spread among them, each
// with the same key, without a key, or with the same key at another gateway.
type Rush struct {
	Sale            string
	SKUs            []string
	Buyers, Repeats int
	Quantity        func(*rand.Rand) int // units of a line, 0 for an empty body where the press has one line
	Lines           func(*rand.Rand) int // lines of a press, nil for one
}

// Name returns the n-th buyer's name.
func Name(n int) string { return fmt.Sprintf("buyer-%06d", n) }

// Presses returns the list of purchases; the seed decides.
func (r Rush) Presses(seed uint64, gateways int) []history.Question {
	random := rand.New(rand.NewPCG(seed, 1))
	list := make([]history.Question, 0, r.Buyers+r.Repeats)
	for _, buyer := range random.Perm(r.Buyers) {
		p := history.Question{Verb: history.Buy, Sale: r.Sale, Buyer: Name(buyer)}
		lines := 1
		if r.Lines != nil {
			lines = r.Lines(random)
		}
		p.Want(linesOf(random, r.SKUs, lines, r.Quantity))
		p.Gateway = random.IntN(gateways)
		if random.IntN(3) > 0 {
			p.Key = fmt.Sprintf("key %d", buyer)
		}
		list = append(list, p)
	}
	for range r.Repeats {
		p := list[random.IntN(r.Buyers)]
		switch random.IntN(3) {
		case 0:
			p.Key = ""
		case 1:
			p.Gateway = (p.Gateway + 1) % gateways
		}
		list = append(list, p)
	}
	return interleave(random, list, r.Buyers)
}

// interleave moves each repeat to a random place, which may be just before or beside its first, as with an impatient buyer.
func interleave(random *rand.Rand, list []history.Question, firsts int) []history.Question {
	for i := firsts; i < len(list); i++ {
		j := random.IntN(i + 1)
		list[i], list[j] = list[j], list[i]
	}
	return list
}

// rushRounds bounds the repetitions of a rush.
const rushRounds = 40

// Rush sends all purchases as fast as the connections carry them, then repeats those that an app repeats, at most
// rushRounds times. It returns an error when some are then still without a final answer, or when an answer has no JSON of
// the contract.
func (c *Crowd) Rush(list []history.Question) error {
	for range rushRounds {
		answers := c.Round(list)
		list = nil
		for i := range answers {
			if answers[i].Code == history.Unreadable {
				return fmt.Errorf("an answer with status %d cannot be read", answers[i].Status)
			}
			if Again(&answers[i].Answer) || answers[i].Code == "not_enough" {
				list = append(list, next(&answers[i], len(c.Gateways)))
			}
		}
		if len(list) == 0 {
			return nil
		}
		<-time.After(time.Second) // what Retry-After asks for
	}
	return fmt.Errorf("%d presses have no final answer after %d rounds", len(list), rushRounds)
}

// next is the purchase that an app sends after this answer, at another gateway.
func next(op *history.Op, gateways int) history.Question {
	q := op.Question
	if op.Code == "not_enough" {
		q.Key = "" // asks for less, which is another purchase
		lines := q.Wanted()
		for i := range lines {
			if lines[i].SKU == op.NamedSKU || len(lines) == 1 {
				lines[i].Quantity = int(op.Available)
			}
		}
		q.Want(lines)
	}
	q.Gateway = (q.Gateway + 1) % gateways
	return q
}

// Round sends each purchase once and returns the operations in the order of the list.
func (c *Crowd) Round(list []history.Question) []history.Op {
	var next atomic.Int64
	var group sync.WaitGroup
	answers := make([]history.Op, len(list))
	for range min(c.Connections, len(list)) {
		group.Go(func() {
			with := c.NewClient()
			defer with.Close()
			for i := int(next.Add(1)) - 1; i < len(list); i = int(next.Add(1)) - 1 {
				answers[i] = c.Ask(with, list[i])
			}
		})
	}
	group.Wait()
	return answers
}

// Paced sends one purchase for each of the given number of buyers, at a steady rate that does not depend on the answers,
// until stop is closed. Suites stop servers under this traffic.
func (c *Crowd) Paced(perSecond int, saleID, sku string, buyers int, stop <-chan struct{}) {
	tick := time.NewTicker(time.Second / time.Duration(perSecond))
	defer tick.Stop()
	var group sync.WaitGroup
	jobs := make(chan history.Question)
	for range c.Connections {
		group.Go(func() {
			with := c.NewClient()
			defer with.Close()
			for q := range jobs {
				c.Ask(with, q)
			}
		})
	}
	defer group.Wait()
	defer close(jobs)
	for i := range buyers {
		select {
		case <-stop:
			return
		case <-tick.C:
			jobs <- history.Question{Verb: history.Buy, Sale: saleID, SKU: sku, Buyer: Name(i), Key: fmt.Sprintf("key %d", i),
				Gateway: i % len(c.Gateways)}
		}
	}
}
