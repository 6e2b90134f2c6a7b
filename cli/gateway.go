package cli

import "flashsale/app"

// Gateway is the process that sells.
type Gateway struct{ supervised }

// Run serves buyers and operators until the process is told to end.
func (c Gateway) Run(inv *invocation) error {
	s, err := inv.processSettings("gateway")
	if err != nil {
		return err
	}
	return app.RunGateway(c.until(inv), s, newLogger(inv.stderr, s.Log.Level))
}
