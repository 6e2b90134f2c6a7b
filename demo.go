//go:build !nodev

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flashsale/adminclient"
	"flashsale/loadtest"
	"flashsale/sale"
)

// demoCrowd is larger than the stock, so that the demo shows sold_out too.
const (
	demoCrowd = 2 * devStock
	demoRate  = 2000
)

// runDemo sends a crowd to a sale of its own, so that the line of the banner still finds units afterwards, and prints a
// line a second: asked, sold, refused by reason, stock, books.
func runDemo(ctx context.Context, out io.Writer, place *site, operators *adminclient.Client, signer *loadtest.Signer, base string) error {
	id := "rush-" + randomHex(3)
	if err := prepareSale(ctx, operators, id, "Demo rush"); err != nil {
		return unlessEnded(ctx, fmt.Errorf("prepare the sale of the demo crowd: %w", err))
	}
	until(ctx, func() bool { return answersBuyers(ctx, base, id) })
	crowd, err := loadtest.NewCrowd(signer, id+"-", demoCrowd, min(time.Hour, place.settings.Auth.MaxLifetime), time.Now())
	if err != nil {
		return err
	}
	before, err := countPresses(place.registry)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "a crowd of %d buys %s of sale %s\n", demoCrowd, devSKU, id)
	rush := make(chan error, 1)
	go func() {
		_, err := loadtest.Rush(ctx, loadtest.RushOptions{
			Servers: []string{base}, Sale: id, SKUs: []string{devSKU}, Crowd: crowd, Rate: demoRate, Repeat: 0.2,
			Connections: 64, MaxConnections: 512,
		})
		rush <- err
	}()
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		ended := false
		select {
		case <-ctx.Done():
			return nil
		case err := <-rush:
			if err != nil {
				return unlessEnded(ctx, fmt.Errorf("demo crowd: %w", err))
			}
			ended = true
		case <-ticker.C:
		}
		line, err := demoLine(ctx, place.registry, before, operators, id)
		if err != nil {
			return unlessEnded(ctx, err)
		}
		fmt.Fprintln(out, line)
		if ended {
			fmt.Fprintf(out, "the crowd has gone home; sale %s stays open; the line above buys from sale %s\n", id, devSale)
			return nil
		}
	}
}

// unlessEnded drops the error of a demo that was asked to end.
func unlessEnded(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return nil
}

// demoLine reads the gateway's metrics and the operators' stats. Presses of before the crowd, such as those with which dev
// itself finds out that the gateway is ready, do not count.
func demoLine(ctx context.Context, metrics prometheus.Gatherer, before presses, operators *adminclient.Client, id string) (string, error) {
	now, err := countPresses(metrics)
	if err != nil {
		return "", err
	}
	stats, err := readStats(ctx, operators, id)
	if err != nil {
		return "", err
	}
	stock, books := stats.sum(), "hold"
	for _, item := range stats.Items {
		if !item.Conserved {
			books = fmt.Sprintf("OFF BY %d", item.Difference())
		}
	}
	return fmt.Sprintf("%s  stock: %d available, %d in flight, %d settled, %d released of %d  books %s", now.since(before),
		stock.Available, stock.InFlight, stock.Settled, stock.Released, stock.Loaded, books), nil
}

// saleStats is what the operators' stats say of a sale.
type saleStats struct {
	State sale.State `json:"state"`
	Items []struct {
		sale.Stock
		Conserved bool `json:"conserved"`
	} `json:"items"`
}

func (s *saleStats) sum() (stock sale.Stock) {
	for _, item := range s.Items {
		stock = stock.Add(item.Stock)
	}
	return stock
}

func readStats(ctx context.Context, operators *adminclient.Client, id string) (*saleStats, error) {
	answer, err := operators.Stats(ctx, id)
	if err != nil {
		return nil, err
	}
	stats := &saleStats{}
	if err := json.Unmarshal(answer, stats); err != nil {
		return nil, fmt.Errorf("read stats of sale %s: %w", id, err)
	}
	return stats, nil
}

// presses counts presses of Buy by outcome.
type presses map[string]int64

func countPresses(metrics prometheus.Gatherer) (presses, error) {
	series, err := countsOf(metrics, "flashsale_purchases_total")
	if err != nil {
		return nil, err
	}
	counts := presses{}
	for _, one := range series {
		counts[one.labels["outcome"]] += one.n
	}
	return counts, nil
}

// since sums up what was added to before: all, those taken, those answered with an order they had already, and the rest as
// "reason n, reason n".
func (p presses) since(before presses) string {
	var asked, sold, again int64
	var reasons []string
	for outcome, n := range p {
		n -= before[outcome]
		asked += n
		switch {
		case slices.Contains(takenOutcomes(), outcome):
			sold += n
		case outcome == sale.OutcomeReplayed.String():
			again += n
		case n > 0:
			reasons = append(reasons, fmt.Sprintf("%s %d", outcome, n))
		}
	}
	if len(reasons) == 0 {
		reasons = []string{"0"}
	}
	slices.Sort(reasons)
	return fmt.Sprintf("asked %d  sold %d  repeated %d  refused %s", asked, sold, again, strings.Join(reasons, ", "))
}
