package browser

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// watch listens to what the page does besides what it shows.
func (p *Page) watch() error {
	enable := chromedp.Func(func(ctx context.Context, on *chromedp.Target) error {
		if _, err := cdp.Call(ctx, on, network.Enable, network.EnableParams{}); err != nil {
			return err
		}
		_, err := cdp.Call(ctx, on, log.Enable, cdp.Empty{})
		return err
	})
	if err := chromedp.Listen(p.ctx, p.note); err != nil {
		return err
	}
	return chromedp.Do(p.ctx, enable)
}

// note takes one event of the browser. It runs inside the loop that reads them, so it only remembers.
func (p *Page) note(event any) {
	switch one := event.(type) {
	case *runtime.EventConsoleAPICalled:
		if one.Type == runtime.ConsoleAPICalledTypeError || one.Type == runtime.ConsoleAPICalledTypeWarning {
			p.fault("console: " + textOf(one.Args))
		}
	case *runtime.EventExceptionThrown:
		p.fault("exception: " + one.ExceptionDetails.Text + " " + describeException(one.ExceptionDetails))
	case *log.EventEntryAdded:
		if one.Entry.Level == log.EntryLevelError || one.Entry.Level == log.EntryLevelWarning {
			p.fault(fmt.Sprintf("log: %s %s", one.Entry.Text, one.Entry.URL))
		}
	case *network.EventRequestWillBeSent:
		p.request(one.Request.URL)
	}
}

func textOf(args []*runtime.RemoteObject) string {
	words := make([]string, len(args))
	for i, arg := range args {
		words[i] = strings.TrimSpace(string(arg.Value) + " " + arg.Description)
	}
	return strings.Join(words, " ")
}

func describeException(details *runtime.ExceptionDetails) string {
	if details.Exception == nil {
		return ""
	}
	return details.Exception.Description
}

// request notes where a request goes. Data and blob URLs stay inside the page.
func (p *Page) request(url string) {
	p.mu.Lock()
	p.asked = append(p.asked, url)
	foreign := !strings.HasPrefix(url, p.origin+"/") && !strings.HasPrefix(url, "data:") && !strings.HasPrefix(url, "blob:")
	p.mu.Unlock()
	if foreign {
		p.fault("request to another origin: " + url)
	}
}

func (p *Page) fault(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, text)
}

// Allow expects faults that contain the words, such as the browser's line about an answer 409 that the test causes.
func (p *Page) Allow(words string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.allowed = append(p.allowed, words)
}

// Faults returns what the page has done that it must not: errors and warnings in the console, and requests to other origins.
func (p *Page) Faults() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(p.faults), func(fault string) bool {
		return slices.ContainsFunc(p.allowed, func(words string) bool { return strings.Contains(fault, words) })
	})
}

// Asked returns the URLs that the page has requested.
func (p *Page) Asked() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.asked)
}
