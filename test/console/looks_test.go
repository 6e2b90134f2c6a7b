package console

import (
	"fmt"
	"math"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/test/browser"
)

// keyboard: every control is reached by Tab, shows the focus, and a dialog takes and returns it.
func keyboard(t *testing.T, b *browser.Browser) {
	e := start(t)
	p := watching(t, b, e, "lin-token")
	browser.Evaluate[bool](p, "(document.activeElement.blur(), window.scrollTo(0, 0), true)")
	const focused = `(e => e.dataset.action || e.dataset.page || e.dataset.lang || e.id || e.getAttribute('class') ||
		e.tagName)(document.activeElement)`
	reached := map[string]bool{}
	for range 60 {
		p.Press("\t")
		where := browser.Evaluate[string](p, focused)
		reached[where] = true
		if where == "BODY" {
			continue
		}
		outline := browser.Evaluate[string](p, "getComputedStyle(document.activeElement).outlineStyle")
		require.NotEqual(t, "none", outline, where)
	}
	for _, control := range []string{"skip", "orders", "trail", "theme", "zh", "sign-out", "preload", "pause", "close", "freeze",
		"sku-search", "sku-sort", "stock", "plot", "audit"} {
		require.Contains(t, reached, control)
	}
	browser.Evaluate[bool](p, "(document.querySelector('[data-action=pause]').focus(), true)")
	p.Press("\r")
	p.See("dialog[open]")
	p.Wait("document.activeElement.dataset.action === 'confirm'")
	p.Press(browser.Escape)
	p.Gone("dialog")
	require.Equal(t, "pause", browser.Evaluate[string](p, focused), "the focus returns")
	p.Press(" ")
	p.See("dialog[open]")
	p.Press("\r")
	p.See("[data-state=paused]")
	p.Gone("dialog")
	p.Wait("document.activeElement !== document.body") // Pause cannot be pressed any more: another control has the focus
}

// looks: each page in light, dark and on a phone, in both languages. None breaks a rule of axe-core or scrolls sideways.
func looks(t *testing.T, b *browser.Browser) {
	e := busy(t)
	for _, look := range []struct {
		name, language string
		view           browser.View
	}{
		{"light", "en", browser.View{}},
		{"dark-zh", "zh", browser.View{Width: 1024, Height: 768, Dark: true, Still: true}},
		{"phone", "en", browser.View{Width: 360, Height: 740}},
		{"phone-dark-zh", "zh", browser.View{Width: 360, Height: 740, Dark: true}},
	} {
		p := b.Open(t, e.url()+"/", look.view)
		p.Click("[data-lang=" + look.language + "]")
		judge(t, p, "sign-in-"+look.name)
		p.Type("input[name=token]", "lin-token")
		p.Press("\r")
		for _, page := range []struct{ name, hash, shows string }{
			{"sales", "#/", "[data-sale]"},
			{"live", "#/sales/double-11", ".plot path"},
			{"orders", "#/orders", "[data-order]"},
			{"rules", "#/rules", ".rules"},
			{"deadletters", "#/deadletters", "[data-letter]"},
			{"trail", "#/trail", ".trail li"},
		} {
			browser.Evaluate[bool](p, fmt.Sprintf("(location.hash = %q, true)", page.hash))
			p.Wait(fmt.Sprintf("document.querySelector(%q)", page.shows))
			judge(t, p, page.name+"-"+look.name)
		}
		browser.Evaluate[bool](p, "(location.hash = '#/sales/double-11', true)")
		p.Click("[data-action=close]")
		judge(t, p, "dialog-"+look.name)
	}
}

func judge(t *testing.T, p *browser.Page, where string) {
	t.Helper()
	p.See("h1, h2")
	p.Accessible(where)
	over := browser.Evaluate[int](p, "document.documentElement.scrollWidth - document.documentElement.clientWidth")
	require.LessOrEqual(t, over, 0, "%s scrolls sideways by %d pixels", where, over)
	p.Shot(where)
}

// busy is an engine in the middle of a rush, with twenty SKUs and something on every page.
func busy(t *testing.T) *engine {
	e := start(t)
	names := []string{"Phone 15, 128 GB, black", "Phone 15, 256 GB, blue", "Earbuds, white", "Earbuds, black", "Watch, 41 mm",
		"Watch, 45 mm", "Tablet, 11 inch", "Tablet, 13 inch", "Pencil", "Keyboard cover", "Charger, 35 W", "Charger, 70 W",
		"Cable, 1 m", "Cable, 2 m", "Case, clear", "Case, leather", "Stand", "Speaker", "Speaker, mini", "Camera"}
	now := time.Now()
	e.with(func() {
		s := e.sales["double-11"]
		s.Items, s.Presses = nil, 4200
		s.Refused = map[string]float64{"sold_out": 1830, "rate_limited": 410, "already_bought": 265, "not_enough": 24,
			"overloaded": 7}
		for i, name := range names {
			loaded := int64(5000) / (1 + int64(i)%7) / 10 * 10
			sold := int64(float64(loaded) * math.Min(1, 0.35+0.09*float64(i%9)))
			one := &item{SKU: fmt.Sprintf("SKU-%03d", 101+i), Name: name, Price: 9900 * int64(1+i), Loaded: loaded,
				InFlight: min(loaded-sold, int64(i*7%23)), Released: int64(i * 5 % 17), PerSecond: float64((i * 37) % 90)}
			one.Settled = sold + one.Released
			one.Available = loaded - sold - one.InFlight
			if one.Available == 0 {
				one.PerSecond = 0
			}
			one.Paid = sold * 7 / 10
			s.Items = append(s.Items, one)
		}
		e.sales["spring"] = &saleState{ID: "spring-preview", Name: "Spring preview", State: "preloaded",
			Starts: now.Add(26 * time.Hour), Ends: now.Add(30 * time.Hour),
			Items: []*item{{SKU: "a", Loaded: 800, Available: 800}}}
		e.sales["winter"] = &saleState{ID: "winter-2025", Name: "Winter 2025", State: "closed", Starts: now.Add(-50 * time.Hour),
			Ends: now.Add(-40 * time.Hour), Items: []*item{{SKU: "a", Loaded: 5000, Available: 0, Settled: 5000, Paid: 5000}}}
		e.note("lin", "operator", "preload", "sale/double-11", object{"state": "draft"}, object{"state": "preloaded"})
		e.note("lin", "operator", "open", "sale/double-11", object{"state": "preloaded"}, object{"state": "open"})
		e.note("wang", "operator", "stock", "sale/double-11/items/SKU-103", object{"loaded": 1560}, object{"loaded": 1660})
		e.note("engine", "engine", "rebuild", "sale/double-11", nil, object{"bucket": 2})
		e.orders = []object{{"order_id": "700000000001001", "status": "confirmed", "sale": "double-11", "buyer_id": "buyer-7",
			"currency": "CNY", "total_cents": 129900, "lines": []object{{"sku": "SKU-101", "quantity": 1}},
			"created_at": stamp(now), "pay_by": stamp(now.Add(15 * time.Minute))}}
		e.dead = []object{{"id": "0-17", "reason": "malformed", "detail": "unexpected end of the record", "state": "waiting",
			"orders": []string{"700000000001002"}}}
	})
	return e
}

// TestPicture writes the README's picture of the live screen, when FLASHSALE_CONSOLE_PICTURE names the file. Without it, it only
// checks that the picture would be small enough.
func TestPicture(t *testing.T) {
	const most = 300 << 10
	const rows = 8
	e, b := busy(t), browser.Start(t)
	e.with(func() { e.sales["double-11"].Items = e.sales["double-11"].Items[:rows] })
	p := b.Open(t, e.url()+"/#/sales/double-11", browser.View{Width: 1440, Height: 1100})
	p.Type("input[name=token]", "lin-token")
	p.Press("\r")
	p.Wait(fmt.Sprintf("document.querySelectorAll('[data-sku]').length === %d", rows))
	p.Wait("document.querySelectorAll('.plot path').length > 4")
	picture := p.Shot("console")
	require.Less(t, len(picture), most)
	if name := os.Getenv("FLASHSALE_CONSOLE_PICTURE"); name != "" {
		require.NoError(t, os.WriteFile(name, picture, 0o600))
	}
}
