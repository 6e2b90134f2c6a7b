package scripts

import (
	"context"
	"strconv"
)

// trim is an acknowledged journal entry that is still to be deleted.
type Trim struct {
	WriteID
	EntryID string
	Orders  int
}

// trimCall is one call of the trim script: entries of one bucket's journal.
type TrimCall struct {
	Keys  BucketKeys
	Trims []Trim
}

// trim deletes exactly these entries, in one pipeline. An entry that is gone already stays gone: trimming twice changes nothing.
func (r *Redis) Trim(ctx context.Context, calls []TrimCall) error {
	all := make([]scriptCall, len(calls))
	for i := range calls {
		all[i] = calls[i].script()
	}
	return r.runScripts(ctx, TrimScript(), all, nil)
}

func (c *TrimCall) script() scriptCall {
	args := make([]string, 0, 2*len(c.Trims))
	for _, t := range c.Trims {
		args = append(args, t.EntryID, strconv.Itoa(t.Orders))
	}
	return scriptCall{keys: []string{c.Keys.Meta, c.Keys.Journal}, args: args}
}
