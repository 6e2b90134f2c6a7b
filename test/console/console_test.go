package console

import (
	"testing"

	"flashsale/test/browser"
)

// signedIn opens the console and signs in.
func signedIn(t *testing.T, b *browser.Browser, e *engine, token string, view browser.View) *browser.Page {
	t.Helper()
	p := b.Open(t, e.url()+"/", view)
	p.Type("input[name=token]", token)
	p.Click("[data-action=sign-in]")
	p.See("[data-action=sign-out]")
	return p
}

func TestFirst(t *testing.T) {
	e, b := start(t), browser.Start(t)
	p := b.Open(t, e.url()+"/", browser.View{})
	p.See("input[name=token]")
	p.Shot("signin")
	p.Accessible("sign in")
	p.Type("input[name=token]", "lin-token")
	p.Press("\r")
	p.See("[data-sale=double-11]")
	p.Shot("list")
	p.Accessible("list")
	p.Click("[data-sale=double-11] a")
	p.Read("[data-sku=phone] [data-term=available]", "400")
	p.Wait("document.querySelectorAll('.plot path').length > 4")
	p.Shot("live")
	p.Accessible("live")
}
