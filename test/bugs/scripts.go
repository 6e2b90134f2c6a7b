package bugs

import (
	"fmt"
	"path"
	"strings"
)

// scriptsHook passes each script that the engine embeds through a function of a file that only the overlay has.
var scriptsHook = instead("scripts/scripts.go", `return string(text)`, `return seeded(name, string(text))`)

// scriptsChanges is the name of that file.
const scriptsChanges = "scripts/seeded.go"

// scriptsSource writes that file: the changes of all bugs in scripts, and the function that makes those of the chosen one.
func scriptsSource(all []Bug) string {
	var table strings.Builder
	for _, b := range all {
		for _, r := range b.Seeds {
			if name, isScript := strings.CutSuffix(path.Base(r.File), ".lua"); isScript {
				fmt.Fprintf(&table, "\t{%q, %q, %q, %q},\n", b.Name, name, r.Old, r.New)
			}
		}
	}
	return `package scripts

import (
	"strings"

	"flashsale/faults"
)

var changes = []struct{ bug, script, old, with string }{
` + table.String() + `}

func seeded(script, text string) string {
	for _, c := range changes {
		if c.script == script && faults.Bug(c.bug) {
			text = strings.Replace(text, c.old, c.with, 1)
		}
	}
	return text
}
`
}
