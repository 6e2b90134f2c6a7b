package cli

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"

	"flashsale/adminclient"
	"flashsale/terminal"
)

type saleStock struct {
	Sale string `arg:"" help:"Sale id."`
	SKU  string `arg:"" name:"sku" help:"SKU."`
	Add  int64  `required:"" help:"Units to add; negative to take back units that nobody has bought, as --add=-5."`
	Key  string `help:"Idempotency key of the change: repeating the command with it changes nothing; default: a new one."`
	answerAs
}

// Run makes the change. It prints a key that it made itself on stderr, unless the change was certainly not made.
func (c saleStock) Run(inv *invocation) error {
	made := c.Key == ""
	if made {
		c.Key = rand.Text()
	}
	add := func(client *adminclient.Client) ([]byte, error) {
		answer, err := client.ChangeStock(inv.ctx, c.Sale, c.SKU, c.Key, c.Add)
		if made && !unmade(err) {
			const repeat = "flashsale: the key of this change is %s: to repeat the command, add --key %[1]s\n"
			fmt.Fprintf(inv.stderr, repeat, c.Key)
		}
		return answer, err
	}
	return inv.change(c.answerAs, add, func(answer []byte) (string, error) { return terminal.StockLine(c.Sale, answer) })
}

// unmade reports whether a change was certainly not made: its request was refused, or no listener got it. Of any other error the
// outcome is unknown.
func unmade(err error) bool {
	var refusal *adminclient.Refusal
	if errors.As(err, &refusal) {
		return refusal.Status < http.StatusInternalServerError
	}
	return errors.Is(err, adminclient.ErrNotSent)
}
