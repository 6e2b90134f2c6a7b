package browser

import (
	"fmt"
	"strings"
)

// axeRun runs every rule and returns what is wrong in words.
const axeRun = `axe.run(document, {resultTypes: ['violations']}).then(found => found.violations.map(one => ({
	rule: one.id, impact: one.impact, help: one.help,
	places: one.nodes.map(node => node.target.join(' ') + ': ' + node.failureSummary),
})))`

// violation is a rule of accessibility that the page breaks.
type violation struct {
	Rule, Impact, Help string
	Places             []string
}

func (v violation) String() string {
	return fmt.Sprintf("%s (%s): %s\n  %s", v.Rule, v.Impact, v.Help, strings.Join(v.Places, "\n  "))
}

// Accessible fails the test for each rule of axe-core that the page breaks as it is now, whatever its impact.
func (p *Page) Accessible(where string) {
	p.t.Helper()
	for _, one := range p.violations() {
		p.t.Errorf("%s: %s", where, one)
	}
}

func (p *Page) violations() []violation {
	p.t.Helper()
	if !Evaluate[bool](p, "typeof axe === 'object'") {
		Evaluate[bool](p, p.browser.axe+"\n;true")
	}
	return Evaluate[[]violation](p, axeRun)
}
