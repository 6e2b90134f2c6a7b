//go:build !nodev

package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"flashsale/adminclient"
	"flashsale/app"
	"flashsale/loadtest"
	"flashsale/sale"
)

// demoCrowd is larger than the stock, so that the demo shows sold_out too.
const (
	demoCrowd = 2 * devStock
	demoRate  = 2000
)

// demo is a crowd on the running gateway.
type demo struct {
	out       io.Writer
	gateway   *app.DevGateway
	operators *adminclient.Client
	signer    *loadtest.Signer
	base      string        // of the buyers' URLs
	life      time.Duration // of the crowd's tokens
}

// run sends a crowd to a sale of its own, so that the line of the banner still finds units afterwards, and prints a
// line a second: asked, sold, refused by reason, stock, books.
func (d *demo) run(ctx context.Context) error {
	id := "rush-" + randomHex(3)
	if err := prepareSale(ctx, d.operators, id, "Demo rush"); err != nil {
		return unlessEnded(ctx, fmt.Errorf("prepare the sale of the demo crowd: %w", err))
	}
	until(ctx, func() bool { return answersBuyers(ctx, d.base, id) })
	crowd, err := loadtest.NewCrowd(d.signer, id+"-", demoCrowd, d.life, time.Now())
	if err != nil {
		return err
	}
	before, err := d.gateway.Presses()
	if err != nil {
		return err
	}
	fmt.Fprintf(d.out, "a crowd of %d buys %s of sale %s\n", demoCrowd, devSKU, id)
	rush := make(chan error, 1)
	go func() {
		_, err := loadtest.Rush(ctx, loadtest.RushOptions{
			Servers: []string{d.base}, Sale: id, SKUs: []string{devSKU}, Crowd: crowd, Rate: demoRate, Repeat: 0.2,
			Connections: 64, MaxConnections: 512,
		})
		rush <- err
	}()
	return d.watch(ctx, id, before, rush)
}

// watch prints the line each second until the rush has ended.
func (d *demo) watch(ctx context.Context, id string, before presses, rush <-chan error) error {
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
		line, err := d.line(ctx, id, before)
		if err != nil {
			return unlessEnded(ctx, err)
		}
		fmt.Fprintln(d.out, line)
		if ended {
			fmt.Fprintf(d.out, "the crowd has gone home; sale %s stays open; the line above buys from sale %s\n", id, devSale)
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

// line reads the gateway's metrics and the operators' stats. Presses from before the crowd do not count, such as those by
// which dev finds out that the gateway is ready.
func (d *demo) line(ctx context.Context, id string, before presses) (string, error) {
	now, err := d.gateway.Presses()
	if err != nil {
		return "", err
	}
	stats, err := readStats(ctx, d.operators, id)
	if err != nil {
		return "", err
	}
	stock, books := stats.sum(), "hold"
	for _, item := range stats.Items {
		if !item.Conserved {
			books = fmt.Sprintf("OFF BY %d", item.Difference())
		}
	}
	return fmt.Sprintf("%s  stock: %d available, %d in flight, %d settled, %d released of %d  books %s",
		presses(now).since(before), stock.Available, stock.InFlight, stock.Settled, stock.Released, stock.Loaded, books), nil
}

// presses counts presses of Buy by outcome.
type presses map[string]int64

// since sums up what was added to before: all, those taken, those answered with an order they had already, and the rest as
// "reason n, reason n".
func (p presses) since(before presses) string {
	var asked, sold, again int64
	var reasons []string
	for outcome, n := range p {
		n -= before[outcome]
		asked += n
		switch {
		case outcome == sale.OutcomeQueued.String(), outcome == sale.OutcomeHeld.String():
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
