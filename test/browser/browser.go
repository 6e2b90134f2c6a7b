package browser

import (
	"context"
	"io"
	"testing"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/chromedp"

	"flashsale/test/harness"
)

// Browser is one running Chromium with an empty profile.
type Browser struct {
	ctx context.Context
	axe string // the script of axe-core
}

// Start starts a Chromium without a window; it ends with the test.
func Start(t testing.TB) *Browser {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(harness.Chromium(t)), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("lang", "en-GB"), chromedp.CombinedOutput(io.Discard))
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil { // the first call starts the browser, which lives as long as ctx
		t.Fatalf("start Chromium: %v", err)
	}
	tools := harness.Node(t, manifest(t))
	return &Browser{ctx: ctx, axe: string(tools.File(t, "axe-core/axe.min.js"))}
}

// Version returns the name and version of the browser.
func (b *Browser) Version(t testing.TB) string {
	t.Helper()
	version, err := chromedp.Run(b.ctx, func(ctx context.Context, on *chromedp.Target) (string, error) {
		answer, err := cdp.Call(ctx, on, browser.GetVersion, cdp.Empty{})
		return answer.Product, err
	})
	if err != nil {
		t.Fatalf("read the browser's version: %v", err)
	}
	return version
}
