package e2e

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/test/browser"
	"flashsale/test/harness"
)

// bannerWord waits until dev has printed something and returns what the pattern captures.
func bannerWord(t *testing.T, p *harness.Process, pattern string) string {
	t.Helper()
	var found []string
	require.Eventually(t, func() bool {
		found = regexp.MustCompile(pattern).FindStringSubmatch(p.Stdout())
		return found != nil
	}, 60*time.Second, 5*time.Millisecond, "dev did not print %s: %s", pattern, p.Stdout())
	return found[1]
}

// term reads a number of the live screen; -1 while it is unknown.
func term(p *browser.Page, where, name string) int {
	selector := where + " [data-term=" + name + "]"
	text := browser.Evaluate[string](p, fmt.Sprintf("document.querySelector(%q)?.textContent || ''", selector))
	n, err := strconv.Atoi(strings.ReplaceAll(text, ",", ""))
	if err != nil {
		return -1
	}
	return n
}

// confirmed presses a button of the live screen and confirms its dialog.
func confirmed(p *browser.Page, button string) {
	p.Click(button)
	p.Click("[data-action=confirm]")
	p.Gone("dialog")
}

// TestConsoleOfTheBuiltBinary does an operator's evening in a browser: the link that dev prints, a rush, pause and resume, more
// stock, frozen holds, rules, an order, the trail, both languages and themes, a phone, and signing out.
func TestConsoleOfTheBuiltBinary(t *testing.T) {
	env, s := devEnv(t)
	dev := harness.Start(t, s.Bin, env, "dev", "--demo")
	link := bannerWord(t, dev, `console +(\S+) `)
	rush := bannerWord(t, dev, `buy phone of sale (rush-\w+)`)
	b := browser.Start(t)
	p := b.Open(t, link, browser.View{})
	p.Read(".who", "admin")
	require.NotContains(t, browser.Evaluate[string](p, "location.href"), "once", "the token is out of the address")
	p.Click("[data-sale=" + rush + "] a")
	p.See("[data-state=open]")
	watchRush(t, p)
	moveSale(t, p)
	freezeHolds(p)
	changeRules(p)
	p.Click("[data-page=trail]")
	for _, words := range []string{"admin (admin) paused sale/" + rush, "admin (admin) added 50 units to sale/" + rush,
		"admin (admin) applied rules"} {
		p.Read(".trail", words)
	}
	p.Accessible("trail")
	findOrders(p, rush)
	lookAround(t, p, rush)
	p.Click("[data-action=sign-out]")
	p.See("input[name=token]")
	p.Type("input[name=token]", adminToken)
	p.Press("\r")
	p.Read(".who", "admin")
}

// watchRush: the numbers move, and the audit agrees with them.
func watchRush(t *testing.T, p *browser.Page) {
	t.Helper()
	p.WaitFor("units are sold", func() bool { return term(p, ".totals", "sold") > 100 })
	before := term(p, ".totals", "sold")
	p.WaitFor("more units are sold", func() bool { return term(p, ".totals", "sold") > before })
	require.Equal(t, 10_000, term(p, "[data-sku=phone]", "loaded"))
	p.Wait("/presses: .* now/.test(document.querySelector('.plot').getAttribute('aria-label'))")
	p.See("[data-store=redis] .badge.good")
	p.See("[data-process] .badge.good")
	p.Shot("rush")
	p.Accessible("a rush")
	p.Click("[data-action=audit]")
	p.See("[data-audit=holds]")
}

// moveSale pauses, adds stock meanwhile, and resumes.
func moveSale(t *testing.T, p *browser.Page) {
	t.Helper()
	confirmed(p, "[data-action=pause]")
	p.See("[data-state=paused]")
	p.WaitFor("nothing is in flight", func() bool { return term(p, ".totals", "in_flight") == 0 })
	sold := term(p, ".totals", "sold")
	p.Click("[data-sku=phone] [data-action=stock]")
	p.Type("#stock-add", "50")
	p.Press("\r")
	p.Gone("dialog")
	p.Read("[data-sku=phone] [data-term=loaded]", "10,050")
	require.Equal(t, sold, term(p, ".totals", "sold"), "a paused sale sells nothing")
	confirmed(p, "[data-action=resume]")
	p.See("[data-state=open]")
}

func freezeHolds(p *browser.Page) {
	confirmed(p, "[data-action=freeze]")
	p.Read(".head-name", "Holds frozen since")
	confirmed(p, "[data-action=thaw]")
	p.See("[data-action=freeze]:enabled")
}

// changeRules applies a limit after the comparison has shown it.
func changeRules(p *browser.Page) {
	p.Click("[data-page=rules]")
	p.Read("#rules-version", "Version")
	browser.Evaluate[bool](p, `(e => { const rules = JSON.parse(e.value); rules.buyer.burst = 11;
		e.value = JSON.stringify(rules, null, 2); e.dispatchEvent(new Event('input')); return true })(
		document.querySelector('#rules-editor'))`)
	p.Click("[data-action=rules]")
	p.Read("dialog .diff-line.new", `"burst": 11`)
	p.Click("[data-action=confirm]")
	p.Gone("dialog")
	p.Wait(`document.querySelector('#rules-editor').value.includes('"burst": 11')`)
}

// findOrders finds orders of the rush, and one of them by its id.
func findOrders(p *browser.Page, rush string) {
	p.Click("[data-page=orders]")
	p.Type("#orders-sale", rush)
	p.Press("\r")
	p.Read("[data-order]", rush)
	id := browser.Evaluate[string](p, "document.querySelector('[data-order]').dataset.order")
	p.Type("#orders-order_id", id)
	p.Press("\r")
	p.Wait("document.querySelectorAll('[data-order]').length === 1")
	p.See("[data-order='" + id + "']")
}

// lookAround: Chinese, dark and a phone.
func lookAround(t *testing.T, p *browser.Page, rush string) {
	t.Helper()
	p.Click("[data-page='']")
	p.Click("[data-lang=zh]")
	p.Look(browser.View{Width: 360, Height: 740, Dark: true})
	p.Click("[data-sale=" + rush + "] a")
	p.Read("[data-state=open]", "已开放")
	p.See("[data-sku=phone]")
	over := browser.Evaluate[int](p, "document.documentElement.scrollWidth - document.documentElement.clientWidth")
	require.LessOrEqual(t, over, 0)
	p.Accessible("a dark phone in Chinese")
	p.Shot("phone")
	p.Look(browser.View{})
	p.Click("[data-lang=en]")
	p.Read("[data-state=open]", "Open")
}

// TestShopOfTheBuiltBinary buys in a browser at the shop page of dev, as two buyers.
func TestShopOfTheBuiltBinary(t *testing.T) {
	env, s := devEnv(t)
	dev := harness.Start(t, s.Bin, env, "dev")
	p := browser.Start(t).Open(t, bannerWord(t, dev, `shop page +(\S+)\n`), browser.View{})
	p.Allow("409") // the second press of a buyer
	p.See("[data-state=open]")
	for range 2 {
		p.Click("[data-action=buy]")
		p.See("[data-order][data-status=confirmed]")
		p.Click("[data-action=buy]")
		p.See("[data-outcome=already_bought]")
		p.Shot("shop")
		p.Click("[data-action=another-buyer]")
		p.Gone("[data-order]")
	}
	p.Accessible("shop")
}
