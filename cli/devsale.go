//go:build !nodev

package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"flashsale/adminclient"
	"flashsale/sale"
)

// The sale that dev prepares.
const (
	devSale  = "demo"
	devSKU   = "phone"
	devStock = 10_000
	devBuyer = "alice"
)

// prepareSale creates, loads and opens a sale of one SKU. A sale of an earlier run is kept, also when it was archived: then
// buyers do not find it.
func prepareSale(ctx context.Context, operators *adminclient.Client, id, name string) error {
	_, err := operators.Sale(ctx, id)
	var refusal *adminclient.Refusal
	switch {
	case errors.As(err, &refusal) && refusal.Status == http.StatusNotFound:
		now := time.Now().UTC()
		definition := fmt.Sprintf(`{"name":%q,"starts_at":%q,"ends_at":%q,"items":[{"sku":%q,"stock":%d,"price_cents":129900}]}`,
			name, now.Add(-time.Minute).Format(time.RFC3339), now.AddDate(1, 0, 0).Format(time.RFC3339), devSKU, devStock)
		if _, err := operators.PutSale(ctx, id, []byte(definition)); err != nil {
			return err
		}
	case err != nil:
		return err
	}
	for _, verb := range []string{"preload", "open"} {
		_, err := operators.Move(ctx, id, verb)
		// An operator may have paused, closed or archived the sale of an earlier run; it stays so.
		if errors.As(err, &refusal) && refusal.Code == "wrong_state" {
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// notSelling explains in the banner why the command to paste buys nothing, when an earlier run left the sale in such a
// state.
func notSelling(ctx context.Context, operators *adminclient.Client) (string, error) {
	stats, err := readStats(ctx, operators, devSale)
	switch {
	case err != nil:
		return "", err
	case stats.State == sale.StatePaused:
		return fmt.Sprintf(" (refused now: sale %s is paused; flashsale sale resume %s resumes it)", devSale, devSale), nil
	case stats.State != sale.StateOpen:
		return fmt.Sprintf(" (refused now: sale %s is %s; a new --data-dir starts a new one)", devSale, stats.State), nil
	case stats.sum().Available == 0:
		return fmt.Sprintf(" (refused now: sale %s is sold out; a new --data-dir starts a new one)", devSale), nil
	}
	return "", nil
}

// until repeats a check until it passes or ctx ends.
func until(ctx context.Context, passed func() bool) {
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for !passed() {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// isArchived reports whether an operator has archived the sale of an earlier run.
func isArchived(ctx context.Context, operators *adminclient.Client, id string) bool {
	stats, err := readStats(ctx, operators, id)
	return err == nil && stats.State == sale.StateArchived
}

// answersBuyers reports whether the gateway knows the sale and its stock. The gateway reads them from the database a
// moment after the operators' API has answered, and the command to paste must work at once. A press without a token
// takes nothing, and the gateway checks sale and stock before the token.
func answersBuyers(ctx context.Context, base, id string) bool {
	url := base + "/v1/sales/" + id + "/items/" + devSKU + "/orders"
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, nil)
	if err != nil {
		return false
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	defer answer.Body.Close()
	var problem struct {
		Code string `json:"code"`
	}
	err = json.NewDecoder(answer.Body).Decode(&problem)
	unknown := answer.StatusCode == http.StatusNotFound || problem.Code == sale.OutcomeFenced.String()
	return err == nil && !unknown
}

// saleStats is the part of the operators' stats that the banner needs.
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
