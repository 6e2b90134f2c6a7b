package reserve

import (
	"context"
	"strconv"

	"flashsale/scripts"
)

// trim is an acknowledged journal entry that is still to be deleted.
type trim struct {
	WriteID
	entryID string
	orders  int
}

// trimCall is one call of the trim script: entries of one bucket's journal.
type trimCall struct {
	keys  bucketKeys
	trims []trim
}

// trim deletes exactly these entries, in one pipeline. An entry that is gone already stays gone: trimming twice changes nothing.
func (r *Redis) trim(ctx context.Context, calls []trimCall) error {
	all := make([]scriptCall, len(calls))
	for i := range calls {
		all[i] = calls[i].script()
	}
	return r.runScripts(ctx, scripts.TrimScript(), all, nil)
}

func (c *trimCall) script() scriptCall {
	args := make([]string, 0, 2*len(c.trims))
	for _, t := range c.trims {
		args = append(args, t.entryID, strconv.Itoa(t.orders))
	}
	return scriptCall{keys: []string{c.keys.meta, c.keys.journal}, args: args}
}
