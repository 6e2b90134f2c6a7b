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

	"flashsale/admin"
	"flashsale/loadtest"
	"flashsale/sale"
)

// runDemo sends a crowd to the demo sale and prints a line a second: asked, sold, refused by reason, stock, books.
func runDemo(ctx context.Context, out io.Writer, place *site, operators *admin.Client, signer *loadtest.Signer, base string) error {
	crowd, err := demoBuyers(signer)
	if err != nil {
		return err
	}
	rush := make(chan error, 1)
	go func() {
		_, err := loadtest.Rush(ctx, loadtest.RushOptions{
			Servers: []string{base}, Sale: devSale, SKUs: []string{devSKU}, Crowd: crowd, Rate: demoRate, Repeat: 0.2,
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
			if err != nil && ctx.Err() == nil {
				return fmt.Errorf("demo crowd: %w", err)
			}
			ended = true
		case <-ticker.C:
		}
		line, err := demoLine(ctx, place.registry, operators)
		if err != nil && ctx.Err() == nil {
			return err
		}
		fmt.Fprintln(out, line)
		if ended {
			fmt.Fprintln(out, "the crowd has gone home; the sale stays open")
			return nil
		}
	}
}

// demoLine reads the gateway's metrics and the operators' stats.
func demoLine(ctx context.Context, metrics prometheus.Gatherer, operators *admin.Client) (string, error) {
	asked, sold, again, refused, err := countPurchases(metrics)
	if err != nil {
		return "", err
	}
	answer, err := operators.Stats(ctx, devSale)
	if err != nil {
		return "", err
	}
	var stats struct {
		Items []struct {
			sale.Stock
			Conserved bool `json:"conserved"`
		} `json:"items"`
	}
	if err := json.Unmarshal(answer, &stats); err != nil {
		return "", fmt.Errorf("read stats: %w", err)
	}
	var stock sale.Stock
	books := "hold"
	for _, item := range stats.Items {
		stock = stock.Add(item.Stock)
		if !item.Conserved {
			books = fmt.Sprintf("OFF BY %d", item.Difference())
		}
	}
	return fmt.Sprintf("asked %d  sold %d  repeated %d  refused %s  stock: %d available, %d in flight, %d settled of %d  books %s",
		asked, sold, again, refused, stock.Available, stock.InFlight, stock.Settled, stock.Loaded, books), nil
}

// countPurchases sums flashsale_purchases_total up: all, those taken, those answered with an order they had already, and
// the rest as "reason n, reason n".
func countPurchases(metrics prometheus.Gatherer) (asked, sold, again int64, refused string, err error) {
	series, err := countsOf(metrics, "flashsale_purchases_total")
	if err != nil {
		return 0, 0, 0, "", err
	}
	var reasons []string
	for _, one := range series {
		outcome := one.labels["outcome"]
		asked += one.n
		switch {
		case slices.Contains(takenOutcomes(), outcome):
			sold += one.n
		case outcome == sale.OutcomeReplayed.String():
			again += one.n
		case one.n > 0:
			reasons = append(reasons, fmt.Sprintf("%s %d", outcome, one.n))
		}
	}
	if len(reasons) == 0 {
		reasons = []string{"0"}
	}
	slices.Sort(reasons)
	return asked, sold, again, strings.Join(reasons, ", "), nil
}
