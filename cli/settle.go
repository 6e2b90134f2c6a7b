package cli

import "flashsale/app"

// Settle is the process that settles.
type Settle struct{ supervised }

// Run settles until the process is told to end.
func (c Settle) Run(inv *invocation) error {
	s, err := inv.processSettings("settle")
	if err != nil {
		return err
	}
	return app.RunSettle(c.until(inv), s, newLogger(inv.stderr, s.Log.Level))
}
