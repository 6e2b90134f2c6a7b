package cli

import "flashsale/app"

// Gateway is the process that sells.
type Gateway struct{}

// Run serves buyers and operators until the process is told to end.
func (Gateway) Run(inv *invocation) error {
	s, err := inv.processSettings("gateway")
	if err != nil {
		return err
	}
	return app.RunGateway(inv.ctx, s, newLogger(inv.stderr, s.Log.Level))
}
