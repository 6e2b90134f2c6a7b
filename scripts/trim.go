package scripts

import (
	"context"
	"strconv"
)

// Trim is an acknowledged journal entry that the trim script, or the next call of the reserve script, deletes.
type Trim struct {
	WriteID
	EntryID string
	Orders  int
}

// TrimCall is one call of the trim script, for entries of one bucket's journal.
type TrimCall struct {
	Keys  BucketKeys
	Trims []Trim
}

// Trim deletes exactly these entries, in one pipeline. Trimming an entry twice changes nothing.
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
