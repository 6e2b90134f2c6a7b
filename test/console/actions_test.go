package console

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/test/browser"
)

const movesOf = "/admin/v1/sales/double-11"

// moves takes a sale through its life. Each step names the sale, says what happens, and is sent only after the confirmation.
func moves(t *testing.T, b *browser.Browser) {
	e := start(t)
	e.with(func() {
		s := e.sales["double-11"]
		s.State = "draft"
		s.Items[0] = &item{SKU: "phone", Loaded: 1000}
	})
	p := watching(t, b, e, "lin-token")
	p.Read("#why-open", "preload it first")
	p.Read(".panel-foot", "Stock: preload it first")
	p.Read("#why-freeze", "a draft has no unpaid orders")
	require.Zero(t, p.Count("[data-action=freeze]:enabled"), "the engine refuses it")
	for _, step := range []struct{ verb, says, state string }{
		{"preload", "The stock of 1 SKUs is written into the database and loaded into Redis", "preloaded"},
		{"open", "It has 1,000 units available.Its window is open: buyers can buy within a second.", "open"},
		{"pause", "every press is answered “paused”", "paused"},
		{"resume", "Every gateway sells this sale again", "open"},
		{"close", "A closed sale cannot be opened again. 1,000 units stay unsold", "closed"},
	} {
		p.Click("[data-action=" + step.verb + "]")
		p.Read("dialog", step.says)
		p.Read("dialog h2", "“Double 11” (double-11)")
		p.Accessible(step.verb)
		p.Click("dialog [data-action=cancel]")
		p.Gone("dialog")
		p.Click("[data-action=" + step.verb + "]")
		p.Click("[data-action=confirm]")
		p.Gone("dialog")
		p.See("[data-state=" + step.state + "]")
	}
	p.Read(".actions", "it is closed for good")
	assert.Equal(t, []string{"POST " + movesOf + "/preload", "POST " + movesOf + "/open", "POST " + movesOf + "/pause",
		"POST " + movesOf + "/resume", "POST " + movesOf + "/close"}, e.requests(), "each step once, and none that was cancelled")
	require.Equal(t, 1, p.Count(".actions button:enabled"), "the holds of a closed sale may be frozen")
}

// movedMeanwhile: the page shows a sale as it was. Before the operator confirms, the dialog says what another one has done.
func movedMeanwhile(t *testing.T, b *browser.Browser) {
	e := start(t)
	p := watching(t, b, e, "lin-token")
	p.Allow("503")
	p.Allow("ERR_INCOMPLETE_CHUNKED_ENCODING")
	e.cutStreams(true) // the page keeps the numbers that it has
	e.with(func() { e.act(e.sales["double-11"], "pause", "wang") })
	p.Click("[data-action=close]")
	p.Read("dialog", "The sale has changed since this page showed it.")
	p.Read("dialog", "wang (operator) paused sale/double-11")
	p.Read("dialog", "It was Open, it is Paused.")
	require.Empty(t, e.requests())
	p.Click("[data-action=confirm]")
	p.Gone("dialog")
	assert.Equal(t, []string{"POST " + movesOf + "/close"}, e.requests())
}

// movedInTheDialog: the other operator is faster while the dialog is open. The first confirmation sends nothing.
func movedInTheDialog(t *testing.T, b *browser.Browser) {
	e := start(t)
	p := watching(t, b, e, "lin-token")
	p.Click("[data-action=pause]")
	p.See("dialog[open]")
	e.with(func() { e.act(e.sales["double-11"], "pause", "wang") })
	p.Click("[data-action=confirm]")
	p.Read("dialog", "wang (operator) paused sale/double-11")
	require.Empty(t, e.requests())
	p.Click("[data-action=confirm]")
	p.Read("dialog [role=alert]", "it is paused already")
	require.Empty(t, e.requests(), "what is done already is not done again")
	p.Accessible("changed meanwhile")
	p.Press(browser.Escape)
	p.Gone("dialog")
}

func freezing(t *testing.T, b *browser.Browser) {
	e := start(t)
	p := watching(t, b, e, "lin-token")
	p.Read("#why-thaw", "not frozen")
	p.Click("[data-action=freeze]")
	p.Read("dialog", "140 units stay with their buyers")
	p.Click("[data-action=confirm]")
	p.Gone("dialog")
	p.Read(".head-name", "Holds frozen since")
	p.Read("#why-freeze", "frozen already")
	p.Click("[data-action=thaw]")
	p.Read("dialog", "moves by the time frozen")
	p.Click("[data-action=confirm]")
	p.Gone("dialog")
	p.Wait("!document.querySelector('.head-name').innerText.includes('frozen')")
	assert.Equal(t, []string{"POST " + movesOf + "/holds/freeze", "POST " + movesOf + "/holds/thaw"}, e.requests())
}

func addingStock(t *testing.T, b *browser.Browser) {
	e := start(t)
	p := watching(t, b, e, "lin-token")
	p.Click("[data-sku=phone] [data-action=stock]")
	p.Read("dialog", "phone has 1,000 units loaded, 400 of them available.")
	p.Accessible("stock")
	for _, wrong := range []string{"", "0", "1.5"} {
		p.Type("#stock-add", wrong)
		p.Click("[data-action=confirm]")
		p.Read("dialog [role=alert]", "Enter a whole number other than 0.")
	}
	p.Type("#stock-add", "50")
	p.Press("\r")
	p.Gone("dialog")
	p.Read("[data-sku=phone] [data-term=loaded]", "1,050")
	p.Read(".toasts", "phone: 50 units added, 1,050 loaded now.")
	p.Click("[data-sku=phone] [data-action=stock]")
	p.Type("#stock-add", "-20")
	p.Press("\r")
	p.Read("[data-sku=phone] [data-term=loaded]", "1,030")
	p.Read(".toasts", "phone: 20 units taken back, 1,030 loaded now.")
	e.with(func() {
		e.note("wang", "operator", "stock", "sale/double-11/items/phone", nil, object{"stock": 1030, "asked": -7})
		e.note("engine", "", "stock", "sale/double-11", object{"stock": object{"phone": 1030, "case": 9}},
			object{"stock": object{"phone": 1023, "case": 8}})
		e.changed()
	})
	for _, words := range []string{"took 8 units back from sale/double-11",
		"lin (operator) added 50 units to sale/double-11/items/phone: its stock is 1,050",
		"lin (operator) took 20 units of sale/double-11/items/phone back: its stock is 1,030",
		"wang (operator) asked to take 7 units of sale/double-11/items/phone back"} {
		p.Read(".trail", words)
	}
	require.Len(t, e.keys, 2, "each change has a key of its own")
}

// lostAnswer: a change that was made and whose answer is lost is repeated under its key, also after a reload.
func lostAnswer(t *testing.T, b *browser.Browser) {
	e := start(t)
	p := watching(t, b, e, "lin-token")
	p.Allow("ERR_EMPTY_RESPONSE")
	e.with(func() { e.lose = 100 }) // the browser itself repeats a request whose connection was kept alive
	p.Click("[data-action=stock]")
	p.Type("#stock-add", "50")
	p.Click("[data-action=confirm]")
	p.Read("dialog [role=alert]", "It is unknown whether the request took effect")
	e.with(func() { e.lose = 0 })
	p.Reload()
	p.Read("[data-sku=phone] [data-term=loaded]", "1,050")
	p.Click("[data-action=stock]")
	p.Read("dialog", "A change of 50 units was sent at")
	require.Equal(t, "50", browser.Evaluate[string](p, "document.querySelector('#stock-add').value"))
	p.Click("[data-action=confirm]")
	p.Gone("dialog")
	p.Read(".toasts", "phone: 50 units added, 1,050 loaded now.")
	require.Len(t, e.keys, 1)
	require.Equal(t, int64(1050), e.sales["double-11"].Items[0].Loaded)
}

// edit replaces a text in the editor of rules, as typing does.
func edit(p *browser.Page, from, to string) {
	browser.Evaluate[bool](p, `(e => { e.value = e.value.replace(`+quote(from)+`, `+quote(to)+`);
		e.dispatchEvent(new Event('input')); return true })(document.querySelector('#rules-editor'))`)
}

func quote(text string) string { return string(marshal(text)) }

func rules(t *testing.T, b *browser.Browser) {
	e := start(t)
	p := signedIn(t, b, e, "lin-token", browser.View{})
	p.Click("[data-page=rules]")
	p.Read("#rules-version", "Version 4")
	require.Zero(t, p.Count("[data-action=rules]:enabled"), "nothing is changed yet")
	edit(p, `"qps": 20000`, `"qps": 20000,`)
	p.Click("[data-action=rules]")
	p.Read(".rules [role=alert]", "This is not valid JSON")
	edit(p, `"qps": 20000,`, `"qps": 500`)
	p.Click("[data-action=rules]")
	p.Read("dialog", "They replace version 4 for all sales")
	require.Equal(t, `−       "qps": 20000,`, gone(p))
	p.Accessible("difference")
	p.Click("[data-action=confirm]")
	p.Gone("dialog")
	p.Read("#rules-version", "Version 5")
	require.Equal(t, 500.0, e.rules["flow"].([]any)[0].(object)["qps"])
}

// gone returns the line that the dialog's difference removes.
func gone(p *browser.Page) string {
	line := p.Text("dialog .diff-line.gone")
	return strings.TrimSuffix(strings.Replace(line, "removed: ", "", 1), "\n")
}

// rulesConflict: the other operator's change is shown, and a change that is confirmed meanwhile is not lost.
func rulesConflict(t *testing.T, b *browser.Browser) {
	e := start(t)
	p := signedIn(t, b, e, "lin-token", browser.View{})
	p.Allow("409")
	p.Click("[data-page=rules]")
	p.Read("#rules-version", "Version 4")
	byWang := func(unpaid float64) {
		e.with(func() {
			e.rules = object{"version": e.rules["version"].(float64) + 1, "flow": e.rules["flow"], "isolation": []any{},
				"circuit_breaker": []any{}, "buyer": e.rules["buyer"], "address": nil,
				"grief": object{"unpaid": unpaid, "window_s": 86400.0}}
		})
	}
	edit(p, `"qps": 20000`, `"qps": 500`)
	byWang(7)
	p.Click("[data-action=rules]")
	p.Read("dialog", "version 4 became 5")
	p.Read("dialog", `"unpaid": 7`)
	byWang(9)
	p.Click("[data-action=confirm]")
	p.Read("dialog", "version 5 became 6")
	p.Read("dialog", "They replace version 6")
	require.Equal(t, 9.0, e.rules["grief"].(object)["unpaid"], "nothing was replaced")
	p.Press(browser.Escape)
	p.Gone("dialog")
	p.Wait(`document.querySelector('#rules-editor').value.includes('"qps": 500')`)
}

func orders(t *testing.T, b *browser.Browser) {
	e := start(t)
	e.with(func() {
		for i := range 60 {
			e.orders = append(e.orders, object{"order_id": "70000000000" + string(marshal(1000+i)), "status": "confirmed",
				"sale": "double-11", "buyer_id": "buyer-" + string(marshal(i)), "currency": "CNY", "total_cents": 129900,
				"lines":      []object{{"sku": "phone", "quantity": 1, "unit_price_cents": 129900}},
				"created_at": "2026-11-11T00:00:00.000Z", "updated_at": "2026-11-11T00:00:01.000Z",
				"pay_by": "2036-11-11T00:15:00.000Z"})
		}
		e.orders[1]["status"] = "paid"
	})
	p := signedIn(t, b, e, "lin-token", browser.View{})
	p.Click("[data-page=orders]")
	p.Wait("document.querySelectorAll('[data-order]').length === 50")
	p.Click(".panel-foot button")
	p.Wait("document.querySelectorAll('[data-order]').length === 60")
	p.Read("[data-order='700000000001001'] .why", "it is paid")
	p.Accessible("orders")
	p.Type("#orders-buyer", "buyer-7")
	p.Press("\r")
	p.Wait("document.querySelectorAll('[data-order]').length === 1")
	p.Click("[data-action=extend]")
	p.Read("dialog", "Buyer buyer-7 has until")
	p.Type("#extend-by", "0")
	p.Click("[data-action=confirm]")
	p.Read("dialog [role=alert]", "Enter 1 to 10080 minutes.")
	p.Type("#extend-by", "45")
	p.Click("[data-action=confirm]")
	p.Gone("dialog")
	require.Equal(t, "2036-11-11T01:00:00.000Z", e.orders[7]["pay_by"])

	p.Click("[data-action=cancel-order]")
	p.Read("dialog", "This cannot be undone.")
	e.with(func() { e.orders[7]["status"] = "paid" })
	p.Click("[data-action=confirm]")
	p.Read("dialog", "it was confirmed, it is paid")
	p.Press(browser.Escape)
	p.Gone("dialog")
	require.Equal(t, []string{"PUT /admin/v1/orders/700000000001007/pay_by"}, e.requests())

	p.Type("#orders-order_id", "700000000001009")
	p.Press("\r")
	p.Click("[data-order='700000000001009'] [data-action=cancel-order]")
	p.Click("[data-action=confirm]")
	p.Read("[data-order='700000000001009']", "cancelled (shop)")
	p.Allow("404")
	p.Type("#orders-order_id", "1")
	p.Press("\r")
	p.Read(".empty", "No order found.")
}

// ordersMeanwhile: another operator has given an order more time while the dialog was open. The minutes then count from the new
// deadline, and an order that was paid meanwhile is not asked for again.
func ordersMeanwhile(t *testing.T, b *browser.Browser) {
	e := start(t)
	e.with(func() {
		e.orders = []object{{"order_id": "700000000001000", "status": "confirmed", "sale": "double-11", "buyer_id": "ann",
			"currency": "CNY", "total_cents": 129900, "lines": []object{}, "created_at": "2026-11-11T00:00:00.000Z",
			"pay_by": "2036-11-11T00:15:00.000Z"}}
	})
	p := signedIn(t, b, e, "lin-token", browser.View{})
	p.Click("[data-page=orders]")
	p.Click("[data-action=extend]")
	e.with(func() { e.orders[0]["pay_by"] = "2036-11-11T01:15:00.000Z" })
	p.Click("[data-action=confirm]")
	p.Read("dialog", "The order has changed")
	require.Empty(t, e.requests())
	p.Click("[data-action=confirm]")
	p.Gone("dialog")
	require.Equal(t, "2036-11-11T01:30:00.000Z", e.orders[0]["pay_by"])
	p.Click("[data-action=extend]")
	e.with(func() { e.orders[0]["status"] = "paid" })
	p.Click("[data-action=confirm]")
	p.Read("dialog", "it was confirmed, it is paid")
	p.Click("[data-action=confirm]")
	p.Read("dialog [role=alert]", "it is paid")
	require.Len(t, e.requests(), 1)
	p.Press(browser.Escape)
}

// ordersFarAway: a page without an order and with a cursor is not the end, and what has no row cannot be searched by its status.
func ordersFarAway(t *testing.T, b *browser.Browser) {
	e := start(t)
	e.with(func() { e.emptyPage = true })
	p := signedIn(t, b, e, "lin-token", browser.View{})
	p.Click("[data-page=orders]")
	p.Read(".empty", "No order found so far")
	e.with(func() { e.emptyPage = false })
	p.Click(".panel-foot button")
	p.Read(".empty", "No order found.")
	require.Zero(t, p.Count("#orders-status [value=held], #orders-status [value=queued]"))
}

func letters(t *testing.T, b *browser.Browser) {
	e := start(t)
	e.with(func() {
		for _, id := range []string{"0-17", "0-18"} {
			e.dead = append(e.dead, object{"id": id, "reason": "malformed", "detail": "unexpected end of the record",
				"state":     "waiting",
				"partition": 0, "offset": 17, "orders": []string{"700000000001001", "700000000001002"}})
		}
	})
	p := signedIn(t, b, e, "lin-token", browser.View{})
	p.Click("[data-page=deadletters]")
	p.Click("[data-letter='0-17'] [data-action=replay]")
	p.Read("dialog", "Its record with 2 orders is settled again")
	p.Click("[data-action=confirm]")
	p.Gone("[data-letter='0-17']")
	p.Read(".toasts", "Dead letter 0-17 replayed.")
	p.Click("[data-letter='0-18'] [data-action=refuse]")
	p.Read("dialog", "700000000001001, 700000000001002")
	p.Accessible("dead letters")
	p.Click("[data-action=confirm]")
	p.Read(".empty", "No dead letter.")
	require.Equal(t, []string{"POST /admin/v1/deadletters/0-17/replay", "POST /admin/v1/deadletters/0-18/refuse"}, e.requests())
}
