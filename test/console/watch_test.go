package console

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/test/browser"
)

func listOfSales(t *testing.T, b *browser.Browser) {
	e := start(t)
	now := time.Now()
	e.with(func() {
		e.sales["spring"] = &saleState{ID: "spring", Name: "Spring", State: "preloaded", Starts: now.Add(26 * time.Hour),
			Ends: now.Add(30 * time.Hour), Items: []*item{{SKU: "a", Loaded: 50, Available: 50}}}
		e.sales["winter"] = &saleState{ID: "winter", Name: "Winter", State: "closed", Starts: now.Add(-50 * time.Hour),
			Ends: now.Add(-40 * time.Hour), Items: []*item{{SKU: "a", Loaded: 50, Available: 20, Settled: 30, Paid: 30}}}
	})
	p := signedIn(t, b, e, "lin-token", browser.View{})
	p.Read("[data-sale=spring]", "Preloaded")
	p.Read("[data-sale=spring]", "starts in 1 d 01:59:")
	p.Read("[data-sale=winter]", "ended")
	p.Read("[data-sale=winter]", "30 / 50 60%")
	p.Read("[data-sale=double-11]", "ends in 01:50:")
	p.Read("[data-sale=double-11]", "152")
	require.Equal(t, `["double-11","spring","winter"]`,
		browser.Evaluate[string](p, "JSON.stringify([...document.querySelectorAll('[data-sale]')].map(row => row.dataset.sale))"))
	before := p.Text("[data-sale=double-11] .when")
	p.Wait(fmt.Sprintf("document.querySelector('[data-sale=double-11] .when').textContent !== %q", before))
	p.Type("#sales-filter", "WINT")
	p.Gone("[data-sale=spring]")
	p.See("[data-sale=winter]")
	p.Type("#sales-filter", "no such sale")
	p.Read(".empty", "No sale to show")
	e.with(func() {
		e.sales["autumn"] = &saleState{ID: "autumn", Name: "no such sale, but now", State: "draft", Ends: now}
	})
	p.Read("[data-sale=autumn]", "Draft")
	p.Click("[data-sale=autumn] a")
	p.Read("main h1", "no such sale, but now")
}

// markup: names are shown as they are written, wherever they stand.
func markup(t *testing.T, b *browser.Browser) {
	e := start(t)
	const name = `<img src=x onerror="document.title='broken'"><script>alert(1)</script>`
	e.with(func() {
		s := e.sales["double-11"]
		s.Name, s.Items[0].Name, s.Reason = name, name, name
		e.note(name, "operator", "pause", "sale/double-11", nil, object{"name": name})
	})
	p := watching(t, b, e, "lin-token")
	p.Read("main h1", name)
	p.Read("[data-sku=phone]", name)
	p.Read(".notices", name)
	p.Read(".trail", name)
	p.Click("[data-action=pause]")
	p.Read("dialog h2", name)
	p.Click("[data-action=confirm]")
	p.Read(".toasts", name)
	require.Equal(t, 1, p.Count("img"), "the logo alone")
	require.Equal(t, name+" · flashsale", browser.Evaluate[string](p, "document.title"))
}

// numbers: what changes in the engine is on the screen at once.
func numbers(t *testing.T, b *browser.Browser) {
	e := start(t)
	p := watching(t, b, e, "lin-token")
	for term, shown := range map[string]string{"loaded": "1,000", "available": "400", "in_flight": "10", "settled": "600",
		"released": "10", "sold": "590", "paid": "450", "unpaid": "140"} {
		require.Equal(t, shown, p.Text("[data-sku=phone] [data-term="+term+"]"), term)
		require.Equal(t, shown, p.Text(".totals [data-term="+term+"]"), term)
	}
	p.Read("[data-sku=phone] [data-term=sold_out_in_s]", "33 s")
	e.with(func() {
		one := e.sales["double-11"].Items[0]
		one.Available, one.Settled, one.PerSecond = 0, 1000, 0
	})
	p.Read("[data-sku=phone] [data-term=available]", "0")
	p.Read("[data-sku=phone] [data-term=settled]", "1,000")
	p.Read("[data-sku=phone] [data-term=sold_out_in_s]", "sold out")
	clock := p.Text("time.mono")
	p.Wait(fmt.Sprintf("document.querySelector('time.mono').textContent !== %q", clock))
	p.Wait(`/^ends in 01:50:/.test(document.querySelector("[data-countdown]").textContent)`)
	p.Read("[data-process=settle-19cc]", "ready")
	p.Click("[data-lang=zh]")
	p.Read("[data-sku=phone] [data-term=sold_out_in_s]", "已售罄")
}

func notices(t *testing.T, b *browser.Browser) {
	e := start(t)
	p := watching(t, b, e, "lin-token")
	require.Zero(t, p.Count(".notices .notice"))
	e.with(func() {
		s := e.sales["double-11"]
		s.State, s.Reason = "paused", "loss: Redis was restarted"
		s.Items[0].Available++ // a unit too many
		e.down["kafka"] = "dial tcp 127.0.0.1:9092: connection refused"
		e.brake = object{"since": stamp(time.Now()), "reason": "60,000 orders wait", "per_second": 2000}
	})
	p.Read(".notices", "The engine paused this sale: loss: Redis was restarted")
	p.Read(".notices", "kafka does not answer. dial tcp")
	p.Read(".notices", "slows purchases to 2,000 a second")
	p.Read(".notices", "The books do not hold")
	p.Read(".head-name [data-term=conserved]", "Books do not hold")
	p.Read("[data-sku=phone] [data-term=conserved]", "✗")
	p.Read("[data-store=kafka]", "down")
	p.Read("[role=status]", "Paused")
	p.Accessible("notices")
	e.with(func() { e.blind = true })
	p.Read(".head-name [data-term=conserved]", "Books not known now")
	p.Read("[data-sku=phone] [data-term=conserved]", "?")
	p.Read("[data-sku=phone] [data-term=available]", "–")
	p.Read(".totals [data-term=sold]", "–")
	p.Wait("!document.querySelector('.notices').textContent.includes('The books do not hold')")
}

func charts(t *testing.T, b *browser.Browser) {
	e := start(t)
	p := watching(t, b, e, "lin-token")
	require.Equal(t, 6, p.Count(".plot"))
	for _, plot := range []string{"Presses and orders a second", "Refused a second, by reason",
		"Time to answer a purchase, all sales",
		"Settlement behind, all sales", "Oldest held order, all sales", "Events waiting, all sales"} {
		p.Wait(fmt.Sprintf("[...document.querySelectorAll('.plot')].some(one => one.getAttribute('aria-label').startsWith(%q))",
			plot+". "))
	}
	p.Wait("/presses: 240 now, \\d+ to [\\d,]+ in this time/.test(document.querySelector('.plot').getAttribute('aria-label'))")
	require.Equal(t, "240", p.Text("[data-series=presses] b"))
	require.Equal(t, "120", p.Text("[data-series=sold_out] b"))

	browser.Evaluate[bool](p, "(document.querySelector('.plot').focus(), true)")
	p.Press(browser.Home)
	p.Wait("document.querySelector('.chart .when').textContent.length === 8")
	p.Wait("document.querySelector('[data-series=presses] b').textContent === '–'") // nothing is known of that time
	p.Wait("document.querySelector('.plot .cursor').getAttribute('visibility') === 'visible'")
	p.Press(browser.End)
	p.Wait("document.querySelector('[data-series=presses] b').textContent === '240'")
	e.with(func() { e.sales["double-11"].Presses = 9000 })
	p.Wait("Number(document.querySelector('[data-series=presses] b').textContent.replaceAll(',', '')) > 300")
}

func audits(t *testing.T, b *browser.Browser) {
	e := start(t)
	p := watching(t, b, e, "view-token")
	p.Click("[data-action=audit]")
	p.Read("[data-audit=holds]", "The books hold for all 1 SKUs")
	e.with(func() { e.sales["double-11"].Items[0].Available -= 3 })
	p.Click("[data-action=audit]")
	p.Read("[data-audit=breaks]", "phone: 3 units are missing")
}

func manySKUs(t *testing.T, b *browser.Browser) {
	e := start(t)
	e.with(func() {
		s := e.sales["double-11"]
		s.Items = nil
		for i := range 10_000 {
			s.Items = append(s.Items, &item{SKU: fmt.Sprintf("sku-%05d", i), Name: fmt.Sprintf("Thing %d", i),
				Loaded: 100, Available: 100 - int64(i%90), Settled: int64(i % 90)})
		}
	})
	p := signedIn(t, b, e, "lin-token", browser.View{})
	p.Click("[data-sale=double-11] a")
	p.Read(".panel-foot", "1–20 of 10,000")
	require.Equal(t, 20, p.Count("[data-sku]"))
	p.Click(".skus .panel-foot button:last-child")
	p.See("[data-sku=sku-00039]")
	p.Gone("[data-sku=sku-00019]")
	p.Type("#sku-search", "thing 777")
	p.Read(".panel-foot", "1–11 of 11 found, 10,000 in all")
	require.Equal(t, 11, p.Count("[data-sku]"))
	p.See("[data-sku=sku-07770]")
	assert.Contains(t, browser.Evaluate[string](p, "location.hash"), "q=thing+777")
	p.Type("#sku-search", "")
	p.Read(".panel-foot", "1–20 of 10,000")
	browser.Evaluate[bool](p, `(e => { e.value = 'sold'; e.dispatchEvent(new Event('change'));
		return true })(document.querySelector('#sku-sort'))`)
	p.Wait("document.querySelector('[data-sku]').dataset.sku === 'sku-00089'")
	p.Reload()
	p.Wait("document.querySelector('[data-sku]')?.dataset.sku === 'sku-00089'") // a reload shows the same part
}

// lostConnection: the page says how old its numbers are, and comes back by itself.
func lostConnection(t *testing.T, b *browser.Browser) {
	e := start(t)
	p := watching(t, b, e, "lin-token")
	p.Allow("503")
	p.Allow("ERR_INCOMPLETE_CHUNKED_ENCODING")
	p.See("[data-connection=live]")
	e.cutStreams(true)
	p.Read("[data-connection=lost]", "Connection lost: the numbers are")
	p.Wait("document.body.classList.contains('stale')")
	e.with(func() { e.sales["double-11"].Items[0].Available = 7 })
	require.Equal(t, "400", p.Text("[data-sku=phone] [data-term=available]"), "the last numbers stay on the screen")
	e.cutStreams(false)
	p.See("[data-connection=live]")
	p.Read("[data-sku=phone] [data-term=available]", "7")
}

func trail(t *testing.T, b *browser.Browser) {
	e := start(t)
	e.with(func() {
		e.note("wang", "operator", "open", "sale/double-11", object{"state": "preloaded"}, object{"state": "open"})
		e.note("engine", "engine", "rebuild", "sale/double-11", nil, object{"bucket": 2})
		e.note("wang", "operator", "rules", "rules", nil, nil)
	})
	p := watching(t, b, e, "lin-token")
	p.Read(".trail", "The engine rebuilt sale/double-11")
	require.Equal(t, "2", browser.Evaluate[string](p, "document.querySelector('.trail li').dataset.entry"), "newest first")
	require.NotContains(t, p.Text(".trail"), "rules", "of another target")
	for _, available := range []string{"399", "398"} { // after two answers, an entry is news
		e.with(func() { e.sales["double-11"].Items[0].Available-- })
		p.Read("[data-sku=phone] [data-term=available]", available)
	}
	e.with(func() { e.act(e.sales["double-11"], "pause", "wang") })
	p.Read(".trail", "wang (operator) paused sale/double-11")
	p.Read(".toasts", "wang (operator) paused sale/double-11")
	p.Click(".trail li summary")
	p.Read(".trail li pre", `"state": "open"`)
	p.Click("[data-page=trail]")
	p.Read(".trail.wide", "wang (operator) applied rules")
	require.Equal(t, 4, p.Count(".trail li"))
	p.Type("#trail-sale", "double-11")
	p.Press("\r")
	p.Wait("document.querySelectorAll('.trail li').length === 3")
	e.with(func() {
		for range 120 {
			e.note("lin", "operator", "stock", "sale/double-11/items/phone", nil, nil)
		}
		e.trail[122]["outcome"] = "wrong_state"
	})
	p.Press("\r")
	p.Wait("document.querySelectorAll('.trail li').length === 100")
	p.Read(".trail", "lin (operator) was refused to stock sale/double-11/items/phone: wrong_state")
	p.Click(".panel-foot button")
	p.Wait("document.querySelectorAll('.trail li').length === 123")
	p.Wait("document.querySelector('.panel-foot button').hidden")
}
