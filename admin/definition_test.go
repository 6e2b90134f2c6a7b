package admin

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

func TestPutSaleFillsTheDefaults(t *testing.T) {
	b := newBench(t)
	r := b.ask("PUT", "/admin/v1/sales/s", phoneSale)
	require.Equal(t, map[string]any{
		"sale": "s", "state": "draft", "name": "Phones",
		"starts_at": "2026-11-11T10:00:00.000Z", "ends_at": "2026-11-11T12:00:00.000Z",
		"currency": "CNY", "per_buyer_limit": 1.0, "per_buyer_sale_limit": 0.0, "payment_ttl_s": 900.0, "eligibility": "open",
		"buckets": 1.0, "holds_frozen_since": nil,
		"items": []any{map[string]any{"sku": "phone", "stock": 10.0, "price_cents": 129900.0, "name": "",
			"per_buyer_limit": nil}},
	}, r.is(http.StatusCreated))
	require.Equal(t, "/admin/v1/sales/s", r.Header.Get("Location"))
	require.Equal(t, r.Body, b.ask("PUT", "/admin/v1/sales/s", phoneSale).Body)
	b.ask("PUT", "/admin/v1/sales/s", phoneSale).is(http.StatusOK)
	require.Equal(t, r.Body, b.ask("GET", "/admin/v1/sales/s", "").Body)
	list := b.ask("GET", "/admin/v1/sales", "").is(http.StatusOK)
	require.Len(t, list["sales"], 1)
}

func TestPutSaleKeepsWhatIsGiven(t *testing.T) {
	b := newBench(t)
	got := b.ask("PUT", "/admin/v1/sales/s", `{"name":"Ünïcode","starts_at":"2026-11-11T10:00:00.5+08:00",
		"ends_at":"2026-11-12T10:00:00Z","currency":"EUR","per_buyer_limit":100,"payment_ttl_s":0,"eligibility":"list",
		"buckets":64,"per_buyer_sale_limit":1000,"items":[{"sku":"A.b","stock":0,"price_cents":0,"per_buyer_limit":null},
			{"per_buyer_limit":100,"name":"Ünit","price_cents":1000000000000,"stock":10000000,"sku":"b-_9"}]}`).is(201)
	require.Equal(t, "2026-11-11T02:00:00.500Z", got["starts_at"])
	require.Equal(t, "EUR", got["currency"])
	require.EqualValues(t, 100, got["per_buyer_limit"])
	require.EqualValues(t, 0, got["payment_ttl_s"])
	require.Equal(t, "list", got["eligibility"])
	require.EqualValues(t, 64, got["buckets"])
	require.EqualValues(t, 1000, got["per_buyer_sale_limit"])
	require.Equal(t, []any{
		map[string]any{"sku": "A.b", "stock": 0.0, "price_cents": 0.0, "name": "", "per_buyer_limit": nil},
		map[string]any{"sku": "b-_9", "stock": 1e7, "price_cents": 1e12, "name": "Ünit", "per_buyer_limit": 100.0},
	}, got["items"])
}

// bodyFault is a body and the member that its answer names.
type bodyFault struct{ body, field string }

const goodItem = `"sku":"a","stock":1,"price_cents":1`

// top is phoneSale with other members than the name.
func top(members string) string {
	return strings.Replace(phoneSale, `{"name":"Phones"`, `{`+members, 1)
}

// faultsOfSale are bodies with one fault of the sale's own members.
func faultsOfSale() map[string]bodyFault {
	good := goodItem
	return map[string]bodyFault{
		"no name":            {top(`"currency":"CNY"`), "name"},
		"empty name":         {top(`"name":""`), "name"},
		"null name":          {top(`"name":null`), "name"},
		"name a number":      {top(`"name":7`), "name"},
		"name an object":     {top(`"name":{"a":[1]}`), "name"},
		"name too long":      {top(`"name":"` + strings.Repeat("x", 201) + `"`), "name"},
		"unknown member":     {top(`"name":"n","color":"red"`), "color"},
		"case counts":        {top(`"Name":"n"`), "Name"},
		"id in the body":     {top(`"name":"n","sale":"s"`), "sale"},
		"state in the body":  {top(`"name":"n","state":"open"`), "state"},
		"doubled member":     {top(`"name":"n","name":"m"`), "name"},
		"doubled by escape":  {top(`"name":"n","n\u0061me":"m"`), "name"},
		"no start":           {`{"name":"n","ends_at":"2026-11-11T12:00:00Z","items":[{` + good + `}]}`, "starts_at"},
		"no end":             {`{"name":"n","starts_at":"2026-11-11T12:00:00Z","items":[{` + good + `}]}`, "ends_at"},
		"end before start":   {strings.Replace(phoneSale, "T12:00", "T09:00", 1), "ends_at"},
		"end at start":       {strings.Replace(phoneSale, "T12:00", "T10:00", 1), "ends_at"},
		"start no time":      {strings.Replace(phoneSale, "2026-11-11T10:00:00Z", "tomorrow", 1), "starts_at"},
		"start a number":     {strings.Replace(phoneSale, `"2026-11-11T10:00:00Z"`, "1794391200", 1), "starts_at"},
		"start of old":       {strings.Replace(phoneSale, "2026-11-11T10:00:00Z", "0001-01-01T00:00:00Z", 1), "starts_at"},
		"currency":           {top(`"name":"n","currency":"cny"`), "currency"},
		"limit 0":            {top(`"name":"n","per_buyer_limit":0`), "per_buyer_limit"},
		"limit 101":          {top(`"name":"n","per_buyer_limit":101`), "per_buyer_limit"},
		"limit null":         {top(`"name":"n","per_buyer_limit":null`), "per_buyer_limit"},
		"sale limit -1":      {top(`"name":"n","per_buyer_sale_limit":-1`), "per_buyer_sale_limit"},
		"sale limit 1001":    {top(`"name":"n","per_buyer_sale_limit":1001`), "per_buyer_sale_limit"},
		"sale limit null":    {top(`"name":"n","per_buyer_sale_limit":null`), "per_buyer_sale_limit"},
		"payment 29":         {top(`"name":"n","payment_ttl_s":29`), "payment_ttl_s"},
		"payment a week +1":  {top(`"name":"n","payment_ttl_s":604801`), "payment_ttl_s"},
		"payment a fraction": {top(`"name":"n","payment_ttl_s":30.5`), "payment_ttl_s"},
		"eligibility":        {top(`"name":"n","eligibility":"vip"`), "eligibility"},
	}
}

// faultsOfItems are bodies with one fault of the items.
func faultsOfItems() map[string]bodyFault {
	good := goodItem
	return map[string]bodyFault{
		"no items": {`{"name":"n","starts_at":"2026-11-11T10:00:00Z","ends_at":"2026-11-11T12:00:00Z"}`, "items"},
		"empty items": {`{"name":"n","starts_at":"2026-11-11T10:00:00Z","ends_at":"2026-11-11T12:00:00Z","items":[]}`,
			"items"},
		"items an object": {`{"name":"n","starts_at":"2026-11-11T10:00:00Z","ends_at":"2026-11-11T12:00:00Z","items":{}}`,
			"items"},
		"item a number":      {strings.Replace(item(good), "[{", "[7,{", 1), "items[0]"},
		"no SKU":             {item(`"stock":1,"price_cents":1`), "items[0].sku"},
		"bad SKU":            {item(`"sku":"-A","stock":1,"price_cents":1`), "items[0].sku"},
		"long SKU":           {item(`"sku":"` + strings.Repeat("a", 65) + `","stock":1,"price_cents":1`), "items[0].sku"},
		"doubled SKU":        {item(good + `},{` + good), "items[1].sku"},
		"no stock":           {item(`"sku":"a","price_cents":1`), "items[0].stock"},
		"negative stock":     {item(`"sku":"a","stock":-1,"price_cents":1`), "items[0].stock"},
		"huge stock":         {item(`"sku":"a","stock":10000001,"price_cents":1`), "items[0].stock"},
		"overflowing stock":  {item(`"sku":"a","stock":99999999999999999999,"price_cents":1`), "items[0].stock"},
		"fractional stock":   {item(`"sku":"a","stock":1.5,"price_cents":1`), "items[0].stock"},
		"stock a string":     {item(`"sku":"a","stock":"1","price_cents":1`), "items[0].stock"},
		"stock null":         {item(`"sku":"a","stock":null,"price_cents":1`), "items[0].stock"},
		"no price":           {item(`"sku":"a","stock":1`), "items[0].price_cents"},
		"negative price":     {item(`"sku":"a","stock":1,"price_cents":-1`), "items[0].price_cents"},
		"huge price":         {item(`"sku":"a","stock":1,"price_cents":1000000000001`), "items[0].price_cents"},
		"no bucket":          {top(`"name":"n","buckets":0`), "buckets"},
		"many buckets":       {top(`"name":"n","buckets":65`), "buckets"},
		"buckets null":       {top(`"name":"n","buckets":null`), "buckets"},
		"buckets of an item": {item(good + `,"buckets":1`), "items[0].buckets"},
		"item limit 0":       {item(good + `,"per_buyer_limit":0`), "items[0].per_buyer_limit"},
		"item limit 101":     {item(good + `,"per_buyer_limit":101`), "items[0].per_buyer_limit"},
		"item limit a text":  {item(good + `,"per_buyer_limit":"1"`), "items[0].per_buyer_limit"},
		"item limit twice":   {item(good + `,"per_buyer_limit":null,"per_buyer_limit":1`), "items[0].per_buyer_limit"},
		"item name null":     {item(good + `,"name":null`), "items[0].name"},
		"item name long":     {item(good + `,"name":"` + strings.Repeat("x", 201) + `"`), "items[0].name"},
		"items twice":        {strings.Replace(phoneSale, `"name"`, `"items":[],"name"`, 1), "items"},
		"third item": {item(good + `},{"sku":"b","stock":1,"price_cents":1},{"sku":"c","stock":-1,"price_cents":1`),
			"items[2].stock"},
		"unknown in an item": {item(good + `,"colour":1`), "items[0].colour"},
		"doubled in an item": {item(good + `,"stock":2`), "items[0].stock"},
	}
}

func TestPutSaleNamesTheMemberAtFault(t *testing.T) {
	faults := faultsOfSale()
	maps.Copy(faults, faultsOfItems())
	b := newBench(t)
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			r := b.ask("PUT", "/admin/v1/sales/s", fault.body)
			r.t = t
			r.field(fault.field)
			require.Contains(t, string(r.Body), `"detail":"`+fault.field+": ")
			all := r.problem(400, "malformed")["errors"].([]any)
			require.Equal(t, fault.field, all[0].(map[string]any)["field"])
		})
	}
	require.Empty(t, b.store.Snapshot().Sales, "a refused body changes nothing")
}

// One answer names every fault of the body, each with the range or the words of its member.
func TestPutSaleNamesEveryFaultAtOnce(t *testing.T) {
	b := newBench(t)
	r := b.ask("PUT", "/admin/v1/sales/s", `{"name":7,"colour":"red","starts_at":"2026-11-11T10:00:00Z","currency":"cny",
		"per_buyer_limit":null,"per_buyer_sale_limit":1001,"payment_ttl_s":29,"payment_ttl_s":30,"eligibility":"vip","buckets":65,
		"items":[{"sku":"a","stock":-1,"price_cents":"1"},7,{"sku":"a","stock":1,"colour":1,"per_buyer_limit":0},{"sku":null}]}`)
	got := r.problem(400, "malformed")
	require.Equal(t, "name", got["field"])
	require.Equal(t, "name: must be a string: 1 to 200 bytes of UTF-8", got["detail"])
	faults := map[string]string{}
	for _, one := range got["errors"].([]any) {
		fault := one.(map[string]any)
		faults[fault["field"].(string)] = fault["detail"].(string)
	}
	require.Equal(t, map[string]string{
		"name":                     "must be a string: 1 to 200 bytes of UTF-8",
		"colour":                   "is not a known member: " + formOfSale(""),
		"ends_at":                  "is required: RFC 3339, between the years 1970 and 9999 (UTC)",
		"currency":                 "must be three capital letters (ISO 4217)",
		"per_buyer_limit":          "must not be null: 1 to 100",
		"per_buyer_sale_limit":     "must be 0 to 1000; 0 is no limit",
		"payment_ttl_s":            "stands twice: 0 or 30 to 604800",
		"eligibility":              "must be open or list",
		"buckets":                  "must be 1 to 64",
		"items[0].stock":           "must be 0 to 10000000",
		"items[0].price_cents":     "must be a whole number within its range: 0 to 1000000000000",
		"items[1]":                 "must be an object: " + formOfItem(""),
		"items[2].sku":             `"a" is already in items[0]`,
		"items[2].colour":          "is not a known member: " + formOfItem(""),
		"items[2].price_cents":     "is required: 0 to 1000000000000",
		"items[2].per_buyer_limit": "must be 1 to 100, or null for the sale's",
		"items[3].sku":             "must not be null: " + sale.FormOfID,
		"items[3].stock":           "is required: 0 to 10000000",
		"items[3].price_cents":     "is required: 0 to 1000000000000",
	}, faults)
	require.Len(t, got["errors"], len(faults), "each member once")

	many := b.ask("PUT", "/admin/v1/sales/s", item(strings.Repeat(`"sku":"","stock":-1,"price_cents":-1},{`, 5000)+`"x":1`))
	require.Len(t, many.problem(400, "malformed")["errors"], sale.MaxFieldErrors)
	require.Empty(t, b.store.Snapshot().Sales)
}

func TestPutSaleRefusesWhatIsNoJSONObject(t *testing.T) {
	b := newBench(t)
	for _, body := range []string{
		"", " ", "null", "7", `"name"`, "[]", "[" + phoneSale + "]", phoneSale + "{}", phoneSale[:40], phoneSale + "x",
		`{"name":"` + "\xff\xfe" + `"}`, "{" + strings.Repeat(`"a":{`, 100_000), strings.Repeat("[", 20_000), "\x00",
	} {
		b.ask("PUT", "/admin/v1/sales/s", body).problem(400, "malformed")
	}
	require.Empty(t, b.store.Snapshot().Sales)
}

func TestPutSaleBoundsTheItems(t *testing.T) {
	b := newBench(t)
	var items []string
	for i := range sale.MaxItems {
		items = append(items, fmt.Sprintf(`{"sku":"s%d","stock":1,"price_cents":1}`, i))
	}
	body := strings.Replace(item("ITEMS"), "{ITEMS}", strings.Join(items, ","), 1)
	b.ask("PUT", "/admin/v1/sales/s", body).is(201)
	b.ask("PUT", "/admin/v1/sales/s", strings.Replace(body, "]}", `,{"sku":"one-more","stock":1,"price_cents":1}]}`,
		1)).field("items")
	b.ask("PUT", "/admin/v1/sales/s", item("},"+strings.Repeat("{},", 1_000_000)+"{")).field("items")
}

func TestBodiesHaveABound(t *testing.T) {
	b := newBench(t)
	filler := strings.Repeat(" ", sale.MaxDocumentBytes-len(phoneSale))
	b.ask("PUT", "/admin/v1/sales/s", phoneSale+filler).is(201)
	b.ask("PUT", "/admin/v1/sales/s", phoneSale+filler+" ").problem(413, "body_too_large")
	// Without Content-Length the server meets the bound while it reads.
	b.askStream("PUT", "/admin/v1/sales/s", &endless{strings.NewReader(phoneSale + filler + " ")}).problem(413, "body_too_large")
	b.ask("POST", "/admin/v1/sales/s/open", filler+phoneSale+" ").problem(413, "body_too_large")
	b.ask("PUT", "/admin/v1/sales/s", phoneSale+filler+" ", "Authorization", "Bearer no").problem(401, "unauthenticated")
}

// endless hides the length of a reader from the client, so that the client sends chunks.
type endless struct{ *strings.Reader }

func (e *endless) Read(p []byte) (int, error) { return e.Reader.Read(p) }

func (e *endless) Len() {}

func TestPutSaleBelongsToItsPath(t *testing.T) {
	b := newBench(t)
	for _, id := range []string{"-a", "_a", ".a", "a%2Fb", "%7B%7D", "a%00", strings.Repeat("a", 65), "%C3%A9"} {
		b.ask("PUT", "/admin/v1/sales/"+id, phoneSale).problem(404, "sale_not_found")
	}
	require.Empty(t, b.store.Snapshot().Sales)
	b.ask("PUT", "/admin/v1/sales/"+strings.Repeat("a", 64), phoneSale).is(201)
	for _, id := range []string{"A", "a.b", "A_-.9"} {
		b.ask("PUT", "/admin/v1/sales/"+id, phoneSale).is(201)
	}
	b.ask("GET", "/admin/v1/sales/A.b", "").problem(404, "sale_not_found") // case counts
}

func TestPutSaleAfterPreloadCarriesTheWindow(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale, "preload", "open")
	later := strings.Replace(phoneSale, "T12:00", "T13:00", 1)
	require.Equal(t, "open", b.ask("PUT", "/admin/v1/sales/s", later).is(200)["state"])
	window := b.stock.windows[first]
	require.Equal(t, time.Date(2026, 11, 11, 13, 0, 0, 0, time.UTC).UnixMilli(), window.EndsMS)
	require.Equal(t, sale.StateOpen, window.State)
	require.Empty(t, b.store.unheld, "a change of a sale that is there runs under its lease")

	other := b.ask("PUT", "/admin/v1/sales/s", strings.Replace(phoneSale, `"name"`, `"currency":"EUR","name"`, 1))
	require.Equal(t, "open", other.problem(409, "wrong_state")["state"])
}

func TestPutSaleSaysSoWhenRedisIsAway(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale, "preload")
	b.stock.set(func() { b.stock.away = true })
	b.ask("PUT", "/admin/v1/sales/s", phoneSale).problem(503, "unavailable")
	b.stock.set(func() { b.stock.away = false })
	b.ask("PUT", "/admin/v1/sales/s", phoneSale).is(200)
}
