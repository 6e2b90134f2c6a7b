package cli

import (
	"encoding/json"
	"fmt"

	"flashsale/adminclient"
	"flashsale/sale"
)

// Rules reads and replaces the limits of every gateway.
type Rules struct {
	Get rulesGet `cmd:"" help:"Print the rules in force."`
	Put rulesPut `cmd:"" help:"Replace all rules from a YAML or JSON file."`
}

type rulesGet struct{}

// Run prints the rules.
func (rulesGet) Run(inv *invocation) error {
	return inv.operate("rules", func(client *adminclient.Client) ([]byte, error) { return client.Rules(inv.ctx) })
}

type rulesPut struct {
	File string `short:"f" required:"" help:"File with the rules as YAML or JSON; - for stdin."`
	Yes  bool   `help:"Confirm rules that refuse a whole route or remove every rule."`
}

// Run replaces the rules. A set that is more often a mistake than an intention needs --yes.
func (c rulesPut) Run(inv *invocation) error {
	return inv.operate("rules", func(client *adminclient.Client) ([]byte, error) {
		document, err := inv.document(c.File)
		if err != nil {
			return nil, err
		}
		if !c.Yes {
			if err := inv.confirmed(client, document); err != nil {
				return nil, err
			}
		}
		return client.PutRules(inv.ctx, document)
	})
}

// confirmed returns an error when a set of rules needs --yes. The API refuses an invalid set.
func (inv *invocation) confirmed(client *adminclient.Client, document []byte) error {
	next, present := sale.DefaultRules(), sale.Rules{}
	if json.Unmarshal(document, &next) != nil || next.Validate() != nil {
		return nil //nolint:nilerr // the API names the member at fault
	}
	answer, err := client.Rules(inv.ctx)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(answer, &present); err != nil {
		return fmt.Errorf("read the present rules: %w", err)
	}
	if what := next.Drastic(&present); what != "" {
		return &exitError{ExitUsage, fmt.Errorf("this set %s: repeat with --yes to confirm", what)}
	}
	return nil
}
