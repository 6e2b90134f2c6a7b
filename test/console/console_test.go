package console

import (
	"testing"

	"flashsale/test/browser"
)

// TestConsole runs every scenario in one browser; each has an engine and a session of its own.
func TestConsole(t *testing.T) {
	b := browser.Start(t)
	t.Log(b.Version(t))
	for _, scenario := range []struct {
		name string
		run  func(*testing.T, *browser.Browser)
	}{
		{"signing in and out", signingIn},
		{"a session that ends", sessionEnds},
		{"the list of sales", listOfSales},
		{"names that are markup", markup},
		{"numbers as they change", numbers},
		{"what is wrong is said", notices},
		{"charts", charts},
		{"the audit", audits},
		{"each move", moves},
		{"a move that another operator has made", movedMeanwhile},
		{"a move that is made while the dialog is open", movedInTheDialog},
		{"freezing and thawing", freezing},
		{"adding stock", addingStock},
		{"stock whose answer is lost", lostAnswer},
		{"rules", rules},
		{"rules that another operator has changed", rulesConflict},
		{"orders", orders},
		{"orders that another operator has changed", ordersMeanwhile},
		{"orders among many others", ordersFarAway},
		{"dead letters", letters},
		{"the trail", trail},
		{"roles", roles},
		{"a lost connection", lostConnection},
		{"ten thousand SKUs", manySKUs},
		{"the keyboard", keyboard},
		{"every page in every look", looks},
		{"choices are kept", choices},
	} {
		t.Run(scenario.name, func(t *testing.T) { scenario.run(t, b) })
	}
}

// signedIn opens the console and signs in.
func signedIn(t *testing.T, b *browser.Browser, e *engine, token string, view browser.View) *browser.Page {
	t.Helper()
	p := b.Open(t, e.url()+"/", view)
	p.Type("input[name=token]", token)
	p.Click("[data-action=sign-in]")
	p.See("[data-action=sign-out]")
	return p
}

// watching opens the live screen of the engine's sale.
func watching(t *testing.T, b *browser.Browser, e *engine, token string) *browser.Page {
	t.Helper()
	p := signedIn(t, b, e, token, browser.View{})
	p.Click("[data-sale=double-11] a")
	p.See("[data-sku=phone]")
	p.Wait("document.querySelectorAll('.plot path').length > 4")
	return p
}
