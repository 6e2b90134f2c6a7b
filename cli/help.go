package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"

	"flashsale/settings"
)

// printHelp prints the help of a command, then the settings that the command reads and that are not flags of its own.
func printHelp(options kong.HelpOptions, ctx *kong.Context) error {
	if err := kong.DefaultHelpPrinter(options, ctx); err != nil {
		return err
	}
	selected := ctx.Selected()
	if selected == nil {
		return nil
	}
	command := strings.TrimPrefix(selected.FullPath(), ctx.Model.Name+" ")
	return printSettings(ctx.Stdout, command)
}

// printSettings prints two lines per setting: its spellings with the default, and its meaning.
func printSettings(out io.Writer, command string) error {
	var text strings.Builder
	text.WriteString("\nSettings, as a flag, an environment variable or a member of the YAML file that --config names:\n")
	for _, s := range settings.UsedBy(command) {
		fmt.Fprintf(&text, "  %s, %s", s.Flag(), s.Env())
		if s.Secret() {
			fmt.Fprintf(&text, " (or %s_FILE)", s.Env())
		}
		if s.Default != "" {
			fmt.Fprintf(&text, ", default %s", s.Default)
		}
		if s.NeededBy(command) {
			text.WriteString(", needed")
		}
		fmt.Fprintf(&text, "\n      %s\n", s.Doc)
	}
	_, err := io.WriteString(out, text.String())
	return err
}
