package console

import (
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/test/browser"
)

func signingIn(t *testing.T, b *browser.Browser) {
	e := start(t)
	p := b.Open(t, e.url()+"/", browser.View{})
	p.Allow("401")
	p.See("input[name=token]")
	for _, url := range p.Asked() {
		require.NotContains(t, url, "/admin/v1/", "a page without a cookie asks for no session")
	}
	p.Go(e.url() + "/#/link-used")
	p.Reload()
	p.Read("[role=alert]", "This link signs nobody in any more")
	p.Click("[data-action=sign-in]")
	p.Wait("document.querySelector('[role=alert]').textContent === 'Enter a token.'")
	p.Type("input[name=token]", "lin-toke")
	p.Press("\r")
	p.Read("[role=alert]", "This token does not sign in")
	p.Type("input[name=token]", " lin-token ")
	p.Press("\r")
	p.Read(".who", "lin operator")
	require.Equal(t, "", browser.Evaluate[string](p, "document.cookie"), "scripts cannot read the session")

	p.Go(e.url() + "/")
	p.Read(".who", "lin operator")
	p.Click("[data-action=sign-out]")
	p.See("input[name=token]")
	p.Go(e.url() + "/#/sales/double-11")
	p.See("input[name=token]")
	require.Empty(t, e.open, "the engine has forgotten the session")
}

// sessionEnds: the page that watches a sale signs out when its session is over, and says so.
func sessionEnds(t *testing.T, b *browser.Browser) {
	e := start(t)
	p := watching(t, b, e, "lin-token")
	p.Allow("401")
	e.endSessions()
	e.cutStreams(false)
	p.See("input[name=token]")
	p.Read(".toasts", "The session has ended")
	require.Equal(t, "#/sales/double-11", browser.Evaluate[string](p, "location.hash"), "signing in again shows the same page")
}

// roles: what a role may not do cannot be pressed, and the page says why. The shop's role sees orders alone.
func roles(t *testing.T, b *browser.Browser) {
	e := start(t)
	p := watching(t, b, e, "view-token")
	p.Read(".actions", "needs the role operator")
	require.Zero(t, p.Count(".actions button:enabled, [data-action=stock]:enabled"))
	p.Read(".skus", "Stock: needs the role operator")
	p.Click("[data-page=rules]")
	p.Read("#rules-why", "needs the role operator")
	require.Zero(t, p.Count("[data-action=rules]:enabled, textarea:not([readonly])"))

	p = b.Open(t, e.url()+"/", browser.View{})
	p.Type("input[name=token]", "shop-token")
	p.Press("\r")
	p.See("#orders-order_id")
	require.Equal(t, 1, p.Count("[data-page]"))
	p.Go(e.url() + "/#/rules")
	p.Read("main", "needs the role viewer")
}

// choices: language and theme are kept by the browser, and a first visit follows the system.
func choices(t *testing.T, b *browser.Browser) {
	e := start(t)
	p := signedIn(t, b, e, "lin-token", browser.View{Dark: true})
	ground := "getComputedStyle(document.documentElement).backgroundColor"
	dark := browser.Evaluate[string](p, ground)
	p.Click("[data-action=theme]")
	light := browser.Evaluate[string](p, ground)
	require.NotEqual(t, dark, light)
	p.Click("[data-lang=zh]")
	p.Read("main h1", "活动")
	require.Equal(t, "zh-CN", browser.Evaluate[string](p, "document.documentElement.lang"))
	p.Go(e.url() + "/")
	p.Read("main h1", "活动")
	require.Equal(t, light, browser.Evaluate[string](p, ground), "the choice outlives a reload in a dark system")
	p.Read("[data-sale=double-11]", "已开放")
	p.Click("[data-lang=en]")
	p.Read("[data-sale=double-11]", "Open")
	require.Equal(t, "en", browser.Evaluate[string](p, "document.activeElement.dataset.lang"), "the focus stays on the switch")
}
