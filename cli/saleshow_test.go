package cli

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// salesAPI answers as the operators' API does of the sale s, which has so many SKUs, and of the archived sale old. Where away is
// set, the live routes answer that Redis is away.
type salesAPI struct {
	skus int
	away bool
}

const (
	openSale = `{"sale":"s","state":"open","name":"Double 11","starts_at":"2026-11-11T10:00:00.000Z",` +
		`"ends_at":"2026-11-11T13:00:00.000Z","currency":"CNY","per_buyer_limit":1,"buckets":1,"holds_frozen_since":null,` +
		`"items":[{"sku":"sku-0","stock":7,"price_cents":5}]}`
	archivedSale = `{"sale":"old","state":"archived","name":"Old","starts_at":"2025-11-11T10:00:00.000Z",` +
		`"ends_at":"2025-11-11T13:00:00.000Z","currency":"CNY","per_buyer_limit":1,"buckets":1,"items":[{"sku":"a","stock":9}],` +
		`"archived_at":"2025-11-20T10:00:00.000Z","books":[{"sku":"a","loaded":9,"settled":8,"released":1,"sold":7}]}`
)

func (a *salesAPI) start(t *testing.T) (environ []string) {
	t.Helper()
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, body := a.answer(r)
		if strings.Contains(r.Header.Get("Accept"), "event-stream") && status == http.StatusOK {
			w.Header().Set("Content-Type", "text/event-stream")
			body = "event: live\ndata: " + body + "\n\n"
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body) // the command fails when it gets no answer
	}))
	t.Cleanup(api.Close)
	return []string{testToken, "FLASHSALE_ADMIN_URL=" + api.URL}
}

func (a *salesAPI) answer(r *http.Request) (status int, body string) {
	switch path := strings.TrimPrefix(r.URL.Path, "/admin/v1/"); {
	case path == "sales":
		list := openSale
		if r.URL.Query().Get("archived") == "true" {
			list += "," + archivedSale
		}
		return http.StatusOK, `{"sales":[` + list + `]}`
	case path == "sales/s":
		return http.StatusOK, openSale
	case path == "sales/old":
		return http.StatusOK, archivedSale
	case a.away:
		return http.StatusServiceUnavailable, `{"status":503,"code":"unavailable","detail":"the request to Redis failed"}`
	case path == "live":
		return http.StatusOK, `{"at":"2026-11-11T12:00:00.000Z",` +
			`"sales":[{"id":"s","loaded":8,"sold":6,"unpaid":2,"reason":"why"}]}`
	case path == "sales/s/live":
		return http.StatusOK, a.live(r)
	}
	return http.StatusNotFound, `{"status":404,"code":"sale_not_found","title":"There is no such sale"}`
}

func (a *salesAPI) live(r *http.Request) string {
	from, err := strconv.Atoi(r.URL.Query().Get("from"))
	limit, err2 := strconv.Atoi(r.URL.Query().Get("limit"))
	if err != nil || err2 != nil || limit > 200 {
		return "no query"
	}
	rows := []string{}
	for i := from; i < min(a.skus, from+limit); i++ {
		rows = append(rows, fmt.Sprintf(`{"sku":"sku-%d","loaded":7,"available":1,"in_flight":0,"settled":6,"released":0}`, i))
	}
	return fmt.Sprintf(`{"at":"2026-11-11T12:00:00.000Z","sale":{"id":"s","state":"open"},"total":{"loaded":%d},`+
		`"items":{"total":%d,"matched":%[2]d,"from":%d,"rows":[%s]}}`, 7*a.skus, a.skus, from, strings.Join(rows, ","))
}

func TestSaleListAndShow(t *testing.T) {
	environ := (&salesAPI{skus: 450}).start(t)
	got := command(t, environ, "", "sale", "list")
	require.Equal(t, ExitDone, got.code, got.stderr)
	require.Regexp(t, `(?m)^s +open, ends in 1h +8 +6 +2 +why +Double 11$`, got.stdout, "at the time of the answer")
	require.NotContains(t, got.stdout, "old")
	got = command(t, environ, "", "sale", "list", "--archived")
	require.Regexp(t, `(?m)^old +archived +9 +- +- +Old$`, got.stdout)
	got = command(t, environ, "", "sale", "show", "s")
	require.Equal(t, ExitDone, got.code, got.stderr)
	require.Contains(t, got.stdout, "state    open, ends in 1h\n")
	require.Regexp(t, `(?m)^ +sku-0 +7 +1 +0 +6 `, got.stdout)
	require.Equal(t, 450, strings.Count(got.stdout, "sku-"), "all pages")
	require.Regexp(t, `(?m)^ +all +3150 `, got.stdout)
	got = command(t, environ, "", "sale", "show", "old")
	require.Equal(t, ExitDone, got.code, got.stderr)
	require.Contains(t, got.stdout, "archived  2025-11-20T10:00:00.000Z")
	require.Regexp(t, `(?m)^ +a +9 +7 +1 `, got.stdout, "its final books")
	got = command(t, environ, "", "sale", "show", "s", "-o", "json")
	require.Equal(t, openSale+"\n", got.stdout)
	got = command(t, environ, "", "sale", "show", "s", "-o", "yaml")
	require.Contains(t, got.stdout, "name: Double 11\n")
	got = command(t, environ, "", "sale", "show", "none")
	require.Equal(t, ExitFailed, got.code)
	require.Contains(t, got.stderr, "flashsale sale list names its sales")
}

// What is known is printed; the exit code says that the rest could not be read.
func TestSaleListAndShowWithoutNumbers(t *testing.T) {
	environ := (&salesAPI{away: true}).start(t)
	got := command(t, environ, "", "sale", "list")
	require.Equal(t, ExitUnreadable, got.code)
	require.Regexp(t, `(?m)^s +open, ended +7 +- +- +Double 11$`, got.stdout)
	require.Contains(t, got.stderr,
		"read the numbers of the sales: could not be read: unavailable (503): the request to Redis failed")
	got = command(t, environ, "", "sale", "show", "s")
	require.Equal(t, ExitUnreadable, got.code)
	require.Regexp(t, `(?m)^ +sku-0 +7 +0.05 CNY$`, got.stdout)
	require.Contains(t, got.stderr, "read the numbers of sale s")
}

// Every change prints a line, and the API's answer with -o json.
func TestChangesPrintALine(t *testing.T) {
	environ := operatorsThatSay(t, openSale)
	for _, words := range [][]string{{"open", "s"}, {"pause", "s"}, {"resume", "s"}, {"close", "s"}, {"preload", "s"},
		{"create", "s", "-f", "-"}, {"archive", "s"}} {
		words = append([]string{"sale"}, words...)
		got := command(t, environ, "{}", words...)
		require.Equal(t, ExitDone, got.code, got.stderr)
		require.Regexp(t, `^sale s: open[^{]*\n$`, got.stdout, "%v", words)
		got = command(t, environ, "{}", append(words, "-o", "json")...)
		require.Equal(t, openSale+"\n", got.stdout, "%v", words)
		require.Equal(t, ExitUsage, command(t, environ, "{}", append(words, "-o", "xml")...).code)
	}
	created := command(t, environ, "{}", "sale", "create", "s", "-f", "-")
	require.Equal(t, "sale s: open (ended), 7 units of 1 SKU\n", created.stdout)
	environ = operatorsThatSay(t, `{"buyers":3}`)
	require.Equal(t, "sale s: the list has 3 buyers\n", command(t, environ, "a", "sale", "buyers", "s", "-f", "-").stdout)
	environ = operatorsThatSay(t, `{"sku":"phone","added":-5,"loaded":7}`)
	got := command(t, environ, "", "sale", "stock", "s", "phone", "--add=-5")
	require.Equal(t, "sale s: phone: 5 units taken back, 7 loaded\n", got.stdout)
	got = command(t, operatorsThatSay(t, "<html>"), "", "sale", "open", "s")
	require.Equal(t, ExitFailed, got.code)
	require.Contains(t, got.stderr, "the change is made, but its answer cannot be shown")
}

func operatorsThatSay(t *testing.T, answer string) []string {
	t.Helper()
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, answer) }))
	t.Cleanup(api.Close)
	return []string{testToken, "FLASHSALE_ADMIN_URL=" + api.URL}
}

func TestPreloadOfWhatIsLoaded(t *testing.T) {
	for total, says := range map[int]string{0: "all stock was loaded already\n", 2: "loaded 2 of 2 buckets\n"} {
		api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = fmt.Fprintf(w, "event: progress\ndata: {\"done\":%d,\"total\":%[1]d}\n\nevent: sale\ndata: "+
				`{"sale":"s","state":"preloaded"}`+"\n\n", total)
		}))
		got := command(t, []string{testToken, "FLASHSALE_ADMIN_URL=" + api.URL}, "", "sale", "preload", "s", "-o", "json")
		api.Close()
		require.Equal(t, ExitDone, got.code, got.stderr)
		require.Equal(t, says, strings.Split(got.stderr, "flashsale:")[0])
	}
}
