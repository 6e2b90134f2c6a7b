package cli

import (
	"fmt"
	"text/tabwriter"
)

// Config shows every setting.
type Config struct{}

// Run prints a row per setting: name, value, source.
func (Config) Run(inv *invocation) error {
	s, err := inv.settings("config")
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(inv.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SETTING\tVALUE\tORIGIN")
	for _, v := range s.Values() {
		fmt.Fprintf(table, "%s\t%s\t%s\n", v.Setting.Name, v.Text, v.Origin)
	}
	return table.Flush()
}
