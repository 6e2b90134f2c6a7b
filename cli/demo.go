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

// demoCrowd is larger than the stock, so that the demo also shows sold_out.
const (
	demoCrowd = 2 * devStock
	demoRate  = 2000
)

// demo sends buyers to the running gateway.
type demo struct {
	out       io.Writer
	gateway   *app.DevGateway
	operators *adminclient.Client
	signer    *loadtest.Signer
	base      string        // of the buyers' URLs
	life      time.Duration // lifetime of the buyers' tokens
}

// run sends buyers to a separate sale, so that the command in the banner still finds units afterwards. It prints a line
// a second: asked, sold, refused by reason, stock, books.
func (d *demo) run(ctx context.Context) error {
	id := "rush-" + randomHex(3)
	if err := prepareSale(ctx, d.operators, id, "Demo rush"); err != nil {
		return unlessEnded(ctx, fmt.Errorf("prepare the sale of the demo buyers: %w", err))
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
	fmt.Fprintf(d.out, "%d buyers buy %s of sale %s; buy beside them at %s/?sale=%s\n", demoCrowd, devSKU, id, d.base, id)
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

// watch prints a line each second until the rush has ended.
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
				return unlessEnded(ctx, fmt.Errorf("demo buyers: %w", err))
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
			fmt.Fprintf(d.out, "the demo buyers are done; sale %s stays open; the command above buys from sale %s\n", id, devSale)
			return nil
		}
	}
}

// unlessEnded drops the error of a demo whose process was told to end.
func unlessEnded(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return nil
}

// line reads the gateway's metrics and the operators' stats. It subtracts the presses before the demo, such as those
// with which dev checks that the gateway is ready. Presses are of every sale, because the metric does not tell them apart; what
// is sold is of the demo's own sale, whose buyers buy one unit each.
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
		presses(now).since(before, stock.InFlight+stock.Settled), stock.Available, stock.InFlight, stock.Settled,
		stock.Released, stock.Loaded, books), nil
}

// presses counts presses of Buy by outcome.
type presses map[string]int64

// since counts the presses after before: all, those answered with an earlier order, and the refused ones as "reason n,
// reason n". Between them stands what was sold.
func (p presses) since(before presses, sold int64) string {
	var asked, again int64
	var reasons []string
	for outcome, n := range p {
		n -= before[outcome]
		asked += n
		switch {
		case outcome == sale.OutcomeQueued.String(), outcome == sale.OutcomeHeld.String():
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
