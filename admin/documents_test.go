package admin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"flashsale/adminclient"
	"flashsale/sale"
)

// saleFileOfDocs returns the sale file in the operators' page of the documentation.
func saleFileOfDocs(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../docs/operations.md")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(page), "\n## A sale file\n")
	require.True(t, found)
	block := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindStringSubmatch(section)
	require.NotNil(t, block)
	return block[1]
}

func decodeYAML(t require.TestingT, text string) sale.Sale {
	document, err := adminclient.ReadDocument(strings.NewReader(text))
	require.NoError(t, err)
	s, err := decodeSale("s", document)
	require.NoError(t, err, text)
	return s
}

// The page shows every member that the decoder accepts, with its range, and the decoder accepts the whole file.
func TestTheDocumentedSaleFileHasEveryMember(t *testing.T) {
	text := saleFileOfDocs(t)
	document, err := adminclient.ReadDocument(strings.NewReader(text))
	require.NoError(t, err)
	var shown struct {
		top   map[string]any
		items []map[string]any
	}
	require.NoError(t, json.Unmarshal(document, &shown.top))
	items, err := json.Marshal(shown.top["items"])
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(items, &shown.items))
	require.ElementsMatch(t, membersOf(reflect.TypeFor[saleBody]()), slices.Collect(maps.Keys(shown.top)))
	require.ElementsMatch(t, membersOf(reflect.TypeFor[itemBody]()), slices.Collect(maps.Keys(shown.items[0])))
	decodeYAML(t, text)
	for member, said := range map[string]string{
		"name":            fmt.Sprintf("1 to %d bytes", sale.MaxNameBytes),
		"per_buyer_limit": fmt.Sprintf("1 to %d; default %d", sale.MaxLimit, defaultLimit),
		"payment_ttl_s": fmt.Sprintf("%d to %d; 0 = never; default %d", sale.MinPaymentTTL, sale.MaxPaymentTTL,
			defaultPaymentTTL),
		"per_buyer_sale_limit": fmt.Sprintf("1 to %d; 0 = none; default 0", sale.MaxSaleLimit),
		"buckets":              fmt.Sprintf("1 to %d; default %d", sale.MaxBuckets, defaultBuckets),
		"items":                fmt.Sprintf("1 to %d; items times buckets at most %d", sale.MaxItems, sale.MaxShelves),
		"stock":                fmt.Sprintf("0 to %d", sale.MaxStock),
		"price_cents":          fmt.Sprintf("0 to %d", int64(sale.MaxPriceCents)),
	} {
		require.Regexp(t, `(?m)^ *`+member+`:.*# .*`+regexp.QuoteMeta(said), text)
	}
}

// A sale's YAML decodes to the same sale, whatever the text of its name.
func TestASaleShownAsYAMLIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := sale.Sale{
			ID: "s", State: sale.StateDraft, Name: rapid.OneOf(rapid.StringN(1, 30, 200),
				rapid.SampledFrom([]string{"yes", "null", "~", "1e3", "2026-11-11", "- a", "a: b", "#", " x ", "\"", "'", "\t",
					"\u2028", "&a", "!!int 3"})).Draw(t, "name"),
			StartsAt: sale.Time{Time: time.UnixMilli(rapid.Int64Range(0, 1<<40).Draw(t, "starts")).UTC()}, Currency: "CNY",
			PerBuyerLimit: rapid.IntRange(1, sale.MaxLimit).Draw(t, "limit"), PaymentTTL: 60, Eligibility: sale.EligibilityList,
			SaleLimit: rapid.IntRange(0, sale.MaxSaleLimit).Draw(t, "sale limit"),
			Buckets:   rapid.IntRange(1, 64).Draw(t, "buckets"),
		}
		want.EndsAt = sale.Time{Time: want.StartsAt.Add(time.Hour)}
		for i := range rapid.IntRange(1, 3).Draw(t, "items") {
			want.Items = append(want.Items, sale.Item{SKU: []string{"null", "1e3", "0x1f"}[i], Stock: int64(i), PriceCents: 100,
				Name: []string{"", "yes", "~"}[i]})
			if i > 0 {
				want.Items[i].PerBuyerLimit = &i
			}
		}
		answer, err := sale.JSON(want)
		require.NoError(t, err)
		text, err := adminclient.DefinitionYAML(answer)
		require.NoError(t, err)
		require.Equal(t, want, decodeYAML(t, string(text)))
	})
}

// The file has blocks in the order of the API and nothing of the sale's state.
func TestDefinitionYAMLIsReadable(t *testing.T) {
	b := newBench(t)
	b.ask("PUT", "/admin/v1/sales/s", phoneSale)
	text, err := adminclient.DefinitionYAML(b.ask("GET", "/admin/v1/sales/s", "").Body)
	require.NoError(t, err)
	require.Equal(t, `name: Phones
starts_at: "2026-11-11T10:00:00.000Z"
ends_at: "2026-11-11T12:00:00.000Z"
currency: CNY
per_buyer_limit: 1
per_buyer_sale_limit: 0
payment_ttl_s: 900
eligibility: open
buckets: 1
items:
  - sku: phone
    stock: 10
    price_cents: 129900
    name: ""
    per_buyer_limit: null
`, string(text))
	_, err = adminclient.DefinitionYAML([]byte(`["no sale"]`))
	require.ErrorContains(t, err, "no sale")
}

func TestYAMLSaleIsTheSaleOfTheJSON(t *testing.T) {
	b := newBench(t)
	document, err := adminclient.ReadDocument(strings.NewReader(`
name: Phones
starts_at: 2026-11-11T10:00:00Z
ends_at: 2026-11-11T12:00:00Z
items:
  - {sku: phone, stock: 10, price_cents: 129900}
`))
	require.NoError(t, err)
	got, err := b.client().PutSale(t.Context(), "yaml", document)
	require.NoError(t, err)
	want := b.ask("PUT", "/admin/v1/sales/json", phoneSale)
	require.Equal(t, strings.Replace(string(want.Body), `"json"`, `"yaml"`, 1), string(got))

	document, err = adminclient.ReadDocument(strings.NewReader("name: Phones\ncolour: red\nname: again\n"))
	require.NoError(t, err)
	_, err = b.client().PutSale(t.Context(), "yaml", document)
	require.ErrorContains(t, err, "colour: is not a known member", "the API names the unknown member")
}

// A sale's YAML has exactly the members that PUT reads.
func TestDefinitionYAMLShowsTheMembersOfABody(t *testing.T) {
	answer, err := sale.JSON(sale.Sale{ID: "s", Items: []sale.Item{{SKU: "a"}}})
	require.NoError(t, err)
	text, err := adminclient.DefinitionYAML(answer)
	require.NoError(t, err)
	document, err := adminclient.ReadDocument(bytes.NewReader(text))
	require.NoError(t, err)
	var shown struct{ top map[string]json.RawMessage }
	require.NoError(t, json.Unmarshal(document, &shown.top))
	require.ElementsMatch(t, membersOf(reflect.TypeFor[saleBody]()), slices.Collect(maps.Keys(shown.top)))
	var items []map[string]any
	require.NoError(t, json.Unmarshal(shown.top["items"], &items))
	require.ElementsMatch(t, membersOf(reflect.TypeFor[itemBody]()), slices.Collect(maps.Keys(items[0])))
}

// membersOf returns the names of the members that a body's type reads.
func membersOf(body reflect.Type) (names []string) {
	for i := range body.NumField() {
		if name, _, _ := strings.Cut(body.Field(i).Tag.Get("json"), ","); name != "" {
			names = append(names, name)
		}
	}
	return names
}
