package terminal

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

const listed = `{"sales":[
 {"sale":"double-11","state":"open","name":"Double \u001b[31m11","starts_at":"2026-11-11T14:00:00.000Z",
  "ends_at":"2026-11-11T16:00:00.000Z","holds_frozen_since":"2026-11-11T11:48:00.000Z","items":[{"sku":"a","stock":7}]},
 {"sale":"new","state":"draft","name":"New","starts_at":"2026-11-12T14:00:00.000Z","ends_at":"2026-11-12T16:00:00.000Z",
  "holds_frozen_since":null,"items":[{"sku":"a","stock":5},{"sku":"b","stock":6}]},
 {"sale":"old","state":"archived","name":"Old","starts_at":"2025-11-11T14:00:00.000Z","ends_at":"2025-11-11T16:00:00.000Z",
  "holds_frozen_since":null,"items":[{"sku":"a","stock":9}]}]}`

const liveListed = `{"at":"2026-11-11T12:00:00.000Z","sales":[
 {"id":"double-11","loaded":8,"sold":6,"unpaid":2,"reason":"the books do not balance"},
 {"id":"new","loaded":0,"sold":0,"unpaid":null}]}`

func salesTable(t *testing.T, live *LiveSales) []string {
	t.Helper()
	list, err := ReadSales([]byte(listed))
	require.NoError(t, err)
	var out strings.Builder
	require.NoError(t, WriteSales(&out, list, live, noon))
	return strings.Split(out.String(), "\n")
}

func TestSalesTable(t *testing.T) {
	live, err := ReadLiveSales([]byte(liveListed))
	require.NoError(t, err)
	require.Equal(t, []string{
		"SALE       STATE                   STOCK  SOLD  UNPAID  HOLDS           REASON                    NAME",
		"double-11  open, starts in 2h      8      6     2       frozen for 12m  the books do not balance  Double ?[31m11",
		"new        draft, starts in 1d 2h  11     0     -                                                 New",
		"old        archived                9      -     -                                                 Old",
		"",
	}, lines(salesTable(t, &live)))
	without := salesTable(t, nil)
	require.Regexp(t, `^double-11 +open, starts in 2h +7 +- +- +frozen for 12m +Double`, without[1], "the definition is known")
}

// lines removes what the table pads at the end of a line.
func lines(all []string) []string {
	for i := range all {
		all[i] = strings.TrimRight(all[i], " ")
	}
	return all
}

const shown = `{"sale":"double-11","state":"STATE","name":"Double 11","starts_at":"2026-11-11T10:00:00.000Z",
  "ends_at":"2026-11-11T13:05:00.000Z","currency":"CNY","per_buyer_limit":1,"per_buyer_sale_limit":5,"payment_ttl_s":900,
  "eligibility":"list","buckets":4,"items":[{"sku":"phone","stock":7,"price_cents":129905,"per_buyer_limit":2},
  {"sku":"case","stock":3,"price_cents":5}]`

const liveShown = `{"at":"2026-11-11T12:00:00.000Z","sale":{"id":"double-11","reason":"Redis lost sales"},
  "brake":{"since":"2026-11-11T11:59:00.000Z","reason":"rows lag","per_second":700},
  "total":{"loaded":10,"available":null,"in_flight":1,"settled":6,"released":1,"paid":3,"unpaid":2},
  "items":{"total":2,"matched":2,"from":0,"rows":[
   {"sku":"phone","price_cents":129905,"loaded":7,"available":null,"in_flight":1,"settled":5,"released":1,"paid":2,"unpaid":2},
   {"sku":"case","price_cents":5,"loaded":3,"available":2,"in_flight":0,"settled":1,"released":0,"paid":1,"unpaid":0}]}}`

func salePage(t *testing.T, answer, live string) string {
	t.Helper()
	s, err := ReadSale([]byte(answer))
	require.NoError(t, err)
	var numbers *Live
	var rows []Row
	if live != "" {
		read, err := ReadLive([]byte(live))
		require.NoError(t, err)
		numbers, rows = &read, read.Items.Rows
	}
	var out strings.Builder
	require.NoError(t, WriteSale(&out, &s, numbers, rows, noon))
	return strings.Join(lines(strings.Split(out.String(), "\n")), "\n")
}

func TestSalePage(t *testing.T) {
	paused := strings.Replace(shown, "STATE", "paused", 1)
	require.Equal(t, `sale     double-11
name     Double 11
state    paused, ends in 1h 5m
reason   Redis lost sales
starts   2026-11-11T10:00:00.000Z
ends     2026-11-11T13:05:00.000Z
limits   1 unit of a SKU for each buyer (1 SKU with a limit of its own), 5 of all SKUs
buyers   those on the list
payment  unpaid orders expire after 15m
holds    frozen for 12m, since 2026-11-11T11:48:00.000Z: no unpaid order expires
brake    700 purchases a second since 2026-11-11T11:59:00.000Z: rows lag
buckets  4

    SKU  LOADED  AVAILABLE  IN_FLIGHT  SOLD  PAID  UNPAID  RELEASED        PRICE
  phone       7          -          1     4     2       2         1  1299.05 CNY
   case       3          2          0     1     1       0         0     0.05 CNY
    all      10          -          1     5     3       2         1
`, salePage(t, paused+`,"holds_frozen_since":"2026-11-11T11:48:00.000Z"}`, liveShown))
}

// Without numbers, and of a draft, the page has what the definition says; of an archived sale its final books.
func TestSalePageWithoutNumbers(t *testing.T) {
	draft := salePage(t, strings.Replace(shown, "STATE", "draft", 1)+"}", liveShown)
	require.Contains(t, draft, "holds    not frozen\n")
	require.Contains(t, draft, "    SKU  STOCK        PRICE\n  phone      7  1299.05 CNY\n   case      3     0.05 CNY\n")
	require.Contains(t, salePage(t, strings.Replace(shown, "STATE", "open", 1)+"}", ""), "  phone      7  1299.05 CNY\n")
	archived := salePage(t, strings.Replace(shown, "STATE", "archived", 1)+`,"archived_at":"2026-11-20T10:00:00.000Z",
		"books":[{"sku":"phone","loaded":7,"settled":6,"released":1,"sold":5},
		{"sku":"case","loaded":3,"settled":3,"sold":3}]}`, "")
	require.Contains(t, archived, "state     archived\n")
	require.Contains(t, archived, "archived  2026-11-20T10:00:00.000Z\n")
	require.Contains(t, archived, "    SKU  LOADED  SOLD  RELEASED        PRICE\n  phone       7     5         1  1299.05 CNY\n"+
		"   case       3     3         0     0.05 CNY\n    all      10     8         1\n")
}

func TestSalePageSaysWhatHasNoLimit(t *testing.T) {
	s := Sale{Sale: sale.Sale{
		ID: "s", State: sale.StateOpen, StartsAt: at(0), EndsAt: at(time.Hour), PerBuyerLimit: 2, Buckets: 1,
	}}
	var out strings.Builder
	require.NoError(t, WriteSale(&out, &s, nil, nil, noon))
	require.Contains(t, out.String(), "limits   2 units of a SKU for each buyer\n")
	require.Contains(t, out.String(), "payment  unpaid orders do not expire\n")
	require.Contains(t, out.String(), "buyers   everyone with a token\n")
}
