package cli

import (
	"errors"
	"slices"

	"flashsale/app"
	"flashsale/settings"
)

// processSettings loads the settings of a process that listens. When they are wrong it also checks for taken ports, so
// that the operator reads all faults at once.
func (inv *invocation) processSettings(command string) (*settings.Settings, error) {
	s, err := inv.settings(command)
	var faults *settings.Faults
	if !errors.As(err, &faults) {
		return s, err
	}
	var taken *settings.Faults
	if errors.As(app.CheckListeners(listenersOf(command, s)), &taken) {
		faults.Lines = append(faults.Lines, taken.Lines...)
	}
	return nil, faults
}

// listenersOf returns the listeners of a process; dev is gateway and settle in one.
func listenersOf(command string, s *settings.Settings) []app.Listener {
	switch command {
	case "gateway":
		return app.GatewayListeners(s)
	case "settle":
		return app.SettleListeners(s)
	}
	return append(app.GatewayListeners(s), app.SettleListeners(s)...)
}

// alsoWrong returns the faults in the settings of a process whose command line cannot be parsed.
func (inv *invocation) alsoWrong(args []string) error {
	if len(args) == 0 || !slices.Contains([]string{"dev", "gateway", "settle"}, args[0]) {
		return nil
	}
	_, err := inv.processSettings(args[0])
	return err
}
