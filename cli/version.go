package cli

import (
	"fmt"

	"flashsale/app"
)

// Version prints which build this is.
type Version struct{}

// Run prints one line.
func (Version) Run(inv *invocation) error {
	_, err := fmt.Fprintln(inv.stdout, app.ThisBuild())
	return err
}
