package browser

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"flashsale/test/harness"
)

// Keys that Press takes besides characters.
const (
	Escape = kb.Escape
	Home   = kb.Home
	End    = kb.End
)

// patience bounds every wait for something on a page.
const patience = 20 * time.Second

// View is how a page is looked at. The zero View is a light page of 1440 by 900 pixels.
type View struct {
	Width, Height int64
	Dark          bool // the system prefers dark
	Still         bool // the system prefers reduced motion
}

// Page is one tab in a session of its own: no other page shares its cookies and storage.
type Page struct {
	t       testing.TB
	browser *Browser
	ctx     context.Context
	shots   string

	mu      sync.Mutex
	origin  string   // of the page that was opened
	faults  []string // what the page must not do
	allowed []string // faults that contain one of these are expected
	asked   []string // URLs of requests
}

// Open opens a URL in a new page. When the test ends, the page must have done nothing that Faults lists.
func (b *Browser) Open(t testing.TB, url string, view View) *Page {
	t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	p := &Page{t: t, browser: b, ctx: ctx, shots: t.ArtifactDir(), origin: originOf(url)}
	if err := p.watch(); err != nil {
		t.Fatalf("watch the page: %v", err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			p.keepLast()
		}
		for _, fault := range p.Faults() {
			t.Errorf("%s: %s", url, fault)
		}
	})
	p.Look(view)
	p.Go(url)
	return p
}

// Look changes how the page is looked at.
func (p *Page) Look(view View) {
	p.t.Helper()
	if view.Width == 0 {
		view.Width, view.Height = 1440, 900
	}
	scheme, motion := "light", "no-preference"
	if view.Dark {
		scheme = "dark"
	}
	if view.Still {
		motion = "reduce"
	}
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: motion},
	}}
	p.do("change the view", chromedp.EmulateViewport(view.Width, view.Height),
		chromedp.Func(func(ctx context.Context, on *chromedp.Target) error {
			_, err := cdp.Call(ctx, on, emulation.SetEmulatedMedia, media)
			return err
		}))
}

// Go loads a URL in the page.
func (p *Page) Go(url string) { p.do("open "+url, chromedp.Navigate(url)) }

// Reload loads the page again.
func (p *Page) Reload() { p.do("load the page again", chromedp.Reload()) }

// do runs actions of the browser and fails the test when one fails within patience.
func (p *Page) do(what string, actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		p.t.Fatalf("%s: %v\n%s", what, err, p.describe())
	}
}

// describe returns the words on the page, for the message of a failed test.
func (p *Page) describe() string {
	ctx, cancel := context.WithTimeout(p.ctx, 2*time.Second)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText.slice(0, 3000)`))
	if err != nil {
		return fmt.Sprintf("the page cannot be read: %v", err)
	}
	return text
}

// Wait looks at the page until a JavaScript expression is true there.
func (p *Page) Wait(expression string) {
	p.t.Helper()
	p.WaitFor(expression, func() bool {
		holds, err := chromedp.Run(p.ctx, chromedp.Evaluate[bool]("Boolean("+expression+")"))
		return err == nil && holds
	})
}

// WaitFor repeats a look until it finds what the test waits for.
func (p *Page) WaitFor(what string, found func() bool) {
	p.t.Helper()
	deadline, tick := time.NewTimer(patience), time.NewTicker(20*time.Millisecond)
	defer deadline.Stop()
	defer tick.Stop()
	for !found() {
		select {
		case <-tick.C:
		case <-deadline.C:
			p.t.Fatalf("not within %s: %s\n%s", patience, what, p.describe())
		}
	}
}

// See waits until an element that the selector finds is visible.
func (p *Page) See(selector string) {
	p.t.Helper()
	p.Wait(fmt.Sprintf("document.querySelector(%q)?.checkVisibility()", selector))
}

// Read waits until an element is on the page and its text contains some words.
func (p *Page) Read(selector, words string) {
	p.t.Helper()
	p.Wait(fmt.Sprintf("document.querySelector(%q)?.textContent.includes(%q)", selector, words))
}

// Gone waits until no element is found.
func (p *Page) Gone(selector string) {
	p.t.Helper()
	p.Wait(fmt.Sprintf("document.querySelector(%q) === null", selector))
}

// Click clicks the middle of the first element that the selector finds, once it is visible and can be pressed.
func (p *Page) Click(selector string) {
	p.t.Helper()
	p.Wait(fmt.Sprintf("(e => e && e.checkVisibility() && !e.disabled)(document.querySelector(%q))", selector))
	p.do("click "+selector, chromedp.Click(chromedp.CSS(selector)))
}

// Type replaces the text of an input by keys.
func (p *Page) Type(selector, text string) {
	p.t.Helper()
	p.See(selector)
	Evaluate[bool](p, fmt.Sprintf("(e => { e.focus(); e.select(); return true })(document.querySelector(%q))", selector))
	if text == "" {
		text = kb.Backspace
	}
	p.do("type into "+selector, chromedp.KeyEvent(text))
}

// Press presses keys where the focus is.
func (p *Page) Press(keys string) { p.do("press a key", chromedp.KeyEvent(keys)) }

// Text returns the text of the first element that the selector finds.
func (p *Page) Text(selector string) string {
	p.t.Helper()
	p.Wait(fmt.Sprintf("document.querySelector(%q)", selector))
	return Evaluate[string](p, fmt.Sprintf("document.querySelector(%q).textContent", selector))
}

// Count returns how many elements the selector finds.
func (p *Page) Count(selector string) int {
	p.t.Helper()
	return Evaluate[int](p, fmt.Sprintf("document.querySelectorAll(%q).length", selector))
}

// Evaluate returns the value of a JavaScript expression in the page; a promise is awaited.
func Evaluate[T any](p *Page, expression string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("evaluate %.200s: %v\n%s", expression, err, p.describe())
	}
	return value
}

// Shot keeps a picture of what is visible as NAME.png in the test's folder of artifacts, and returns its bytes.
func (p *Page) Shot(name string) []byte {
	p.t.Helper()
	picture, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.WriteFile(filepath.Join(p.shots, name+".png"), picture, 0o600)
	}
	if err != nil {
		p.t.Fatalf("take the picture %s: %v", name, err)
	}
	return picture
}

// keepLast keeps what a failed test saw last, where it is still there after the test.
func (p *Page) keepLast() {
	picture, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	file, fault := os.CreateTemp("", "flashsale-page-*.png")
	if err != nil || fault != nil {
		return
	}
	defer file.Close()
	if _, err := file.Write(picture); err == nil {
		p.t.Logf("kept: %s", file.Name())
	}
}

// originOf returns scheme, host and port of a URL.
func originOf(url string) string {
	scheme, rest, _ := strings.Cut(url, "://")
	host, _, _ := strings.Cut(rest, "/")
	return scheme + "://" + host
}

// manifest returns the folder of package.json, wherever the test runs.
func manifest(t testing.TB) string { return filepath.Join(harness.Root(t), "test", "browser") }
