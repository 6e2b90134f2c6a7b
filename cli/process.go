package cli

import (
	"errors"
	"slices"

	"flashsale/app"
	"flashsale/settings"
)

// processSettings loads the settings of a process that listens. Where they are wrong already, it looks for taken ports too,
// so that the operator reads of every fault at once.
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

// listenersOf returns what a process listens on; dev is gateway and settle in one.
func listenersOf(command string, s *settings.Settings) []app.Listener {
	switch command {
	case "gateway":
		return app.GatewayListeners(s)
	case "settle":
		return app.SettleListeners(s)
	}
	return append(app.GatewayListeners(s), app.SettleListeners(s)...)
}

// alsoWrong returns what is wrong with the settings of a process whose command line cannot be read.
func (inv *invocation) alsoWrong(args []string) error {
	if len(args) == 0 || !slices.Contains([]string{"dev", "gateway", "settle"}, args[0]) {
		return nil
	}
	_, err := inv.processSettings(args[0])
	return err
}
