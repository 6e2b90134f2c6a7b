package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	manySKUs   = 10_000
	manyBuyers = 1_000_000
)

// buyerID is an id of the length of a UUID, in no order.
func buyerID(n int) string { return fmt.Sprintf("%08x-0000-4000-8000-%012d", uint32(n)*2654435761, n) }

// scale measures large sales: a list of a million buyers, a sale of ten thousand SKUs.
func scale(b *testing.B) []*Figure {
	s := newStack(b, deployment{})
	list := filepath.Join(b.TempDir(), "buyers")
	var lines strings.Builder
	for n := range manyBuyers {
		lines.WriteString(buyerID(n) + "\n")
	}
	require.NoError(b, os.WriteFile(list, []byte(lines.String()), 0o600))
	uploaded := &Figure{Name: fmt.Sprintf("%d listed buyers: upload and load", manyBuyers), Unit: "s", Target: 10}
	filtered := &Figure{Name: "  until strangers are refused from the gateway's memory", Unit: "s"}
	preloaded := &Figure{Name: fmt.Sprintf("preload of %d SKUs", manySKUs), Unit: "s", Target: 1}
	opened := &Figure{Name: "  until the gateway sells the last of them", Unit: "s"}
	for n := range repetitions {
		took, known := s.loadList(fmt.Sprint("listed-", n), list)
		uploaded.Ours, filtered.Ours = append(uploaded.Ours, took.Seconds()), append(filtered.Ours, known.Seconds())
	}
	for n := range repetitions {
		took, sold := s.preloadMany(fmt.Sprint("many-", n), manySKUs)
		preloaded.Ours, opened.Ours = append(preloaded.Ours, took.Seconds()), append(opened.Ours, sold.Seconds())
	}
	return []*Figure{uploaded, filtered, preloaded, opened}
}

// loadList uploads and loads a list, and returns how long it took, and how long until the gateway had its filter.
func (s *stack) loadList(saleID, file string) (took, filtered time.Duration) {
	s.b.Helper()
	now := time.Now()
	s.run(fmt.Sprintf(`{"name":%q,"starts_at":%q,"ends_at":%q,"eligibility":"list","items":[{"sku":"phone","stock":1000,`+
		`"price_cents":1}]}`,
		saleID, now.Add(-time.Hour).Format(time.RFC3339), now.Add(24*time.Hour).Format(time.RFC3339)), "sale", "create", saleID,
		"-f", "-")
	began := time.Now()
	s.run("", "sale", "buyers", saleID, "-f", file)
	s.run("", "sale", "preload", saleID)
	took = time.Since(began)
	s.open(saleID)
	strangers := s.presses(saleID, 1000)
	next := 0
	require.Eventually(s.b, func() bool { // a buyer who passes the filter costs Redis a look-up
		before := s.looksAtLists()
		for range 3 {
			answer, err := Ask(s.gateway.Listen, strangers.At(next%strangers.Len()))
			require.NoError(s.b, err)
			require.Equal(s.b, 403, answer.Status, answer.Body)
			next++
		}
		return s.looksAtLists() == before
	}, time.Minute, 20*time.Millisecond)
	return took, time.Since(began)
}

// looksAtLists is the number of look-ups of lists in Redis.
func (s *stack) looksAtLists() string {
	s.b.Helper()
	stats, ok := s.Redis[0].MustDo(s.b, "INFO", "commandstats").(string)
	require.True(s.b, ok)
	_, calls, _ := strings.Cut(stats, "cmdstat_smismember:calls=")
	calls, _, _ = strings.Cut(calls, ",")
	return calls
}

// preloadMany preloads and opens a sale of many SKUs, and returns how long the preload took, and how long until the gateway
// sells the last SKU.
func (s *stack) preloadMany(saleID string, skus int) (took, sold time.Duration) {
	s.b.Helper()
	var items strings.Builder
	for n := range skus {
		fmt.Fprintf(&items, `,{"sku":%q,"stock":1000000,"price_cents":1}`, skuName(n))
	}
	s.createSale(saleID, "["+items.String()[1:]+"]")
	began := time.Now()
	s.run("", "sale", "preload", saleID)
	took = time.Since(began)
	s.run("", "sale", "open", saleID)
	s.untilSold(saleID, skuName(skus-1))
	return took, time.Since(began)
}

// untilSold presses, each time by another buyer, until the gateway sells a SKU.
func (s *stack) untilSold(saleID, sku string) {
	s.b.Helper()
	require.Eventually(s.b, func() bool {
		answer, err := Ask(s.gateway.Listen, s.pressesFor(one(sku), saleID, 1).At(0))
		return err == nil && answer.Status == 202
	}, time.Minute, 10*time.Millisecond)
}
