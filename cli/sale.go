package cli

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/alecthomas/kong"

	"flashsale/adminclient"
	"flashsale/sale"
	"flashsale/terminal"
)

// Sale runs the life cycle of a sale through the operators' API. It prints a line or a table; -o json prints the API's own JSON.
type Sale struct {
	Create  saleCreate  `cmd:"" help:"Create or change a sale from a YAML or JSON file."`
	Buyers  saleBuyers  `cmd:"" help:"Replace the list of a listed sale: one buyer id per line."`
	Preload salePreload `cmd:"" help:"Load the stock into Redis. A repeated preload finds everything loaded."`
	Open    saleMove    `cmd:"" help:"Open the sale, so that it sells from starts_at on."`
	Pause   saleMove    `cmd:"" help:"Pause the sale. After the answer no further unit is sold."`
	Resume  saleMove    `cmd:"" help:"Resume a paused sale."`
	Close   saleMove    `cmd:"" help:"Close the sale permanently."`
	Stock   saleStock   `cmd:"" help:"Add units to a SKU of a preloaded sale, or take unsold ones back."`
	Freeze  saleHolds   `cmd:"" help:"Freeze the holds of the sale: none of its unpaid orders expires."`
	Thaw    saleHolds   `cmd:"" help:"Thaw them: each unpaid order gets the time that the freeze took."`
	Archive saleArchive `cmd:"" help:"Archive a closed sale: only its rows stay. A draft is deleted."`
	Show    saleShow    `cmd:"" help:"Print a sale."`
	List    saleList    `cmd:"" help:"Print all sales that are not archived."`
	Armed   saleArmed   `cmd:"" help:"Exit 1 while a sale sells or is about to, so that a rollout waits."`
}

type saleCreate struct {
	Sale string `arg:"" help:"Sale id."`
	File string `short:"f" required:"" help:"File with the sale as YAML or JSON; - for stdin."`
	answerAs
}

// Run puts the sale.
func (c saleCreate) Run(inv *invocation) error {
	put := func(client *adminclient.Client) ([]byte, error) {
		document, err := inv.document(c.File)
		if err != nil {
			return nil, err
		}
		return client.PutSale(inv.ctx, c.Sale, document)
	}
	return inv.change(c.answerAs, put, nowIn(terminal.CreatedLine))
}

// nowIn gives a line the time of this machine.
func nowIn(line func(answer []byte, now time.Time) (string, error)) func(answer []byte) (string, error) {
	return func(answer []byte) (string, error) { return line(answer, time.Now()) }
}

type saleBuyers struct {
	Sale string `arg:"" help:"Sale id."`
	File string `short:"f" required:"" help:"File with one buyer id per line; - for stdin."`
	answerAs
}

// Run streams the list.
func (c saleBuyers) Run(inv *invocation) error {
	put := func(client *adminclient.Client) ([]byte, error) {
		lines, err := adminclient.OpenInput(c.File, inv.stdin)
		if err != nil {
			return nil, err
		}
		defer lines.Close()
		return client.PutBuyers(inv.ctx, c.Sale, lines)
	}
	return inv.change(c.answerAs, put, func(answer []byte) (string, error) { return terminal.BuyersLine(c.Sale, answer) })
}

type salePreload struct {
	Sale string `arg:"" help:"Sale id."`
	answerAs
}

// Run loads the sale and prints its progress on stderr.
func (c salePreload) Run(inv *invocation) error {
	preload := func(client *adminclient.Client) ([]byte, error) {
		answer, err := client.Preload(inv.ctx, c.Sale, func(done, total int) {
			if total == 0 {
				fmt.Fprintln(inv.stderr, "all stock was loaded already")
				return
			}
			fmt.Fprintf(inv.stderr, "loaded %d of %d buckets\n", done, total)
		})
		if err == nil {
			inv.warnOfEnded(answer)
		}
		return answer, err
	}
	return inv.change(c.answerAs, preload, nowIn(terminal.SaleLine))
}

// saleMove is open, pause, resume and close: the name of the command is the move.
type saleMove struct {
	Sale string `arg:"" help:"Sale id."`
	answerAs
}

// Run makes the move.
func (c saleMove) Run(inv *invocation, parsed *kong.Context) error {
	move := func(client *adminclient.Client) ([]byte, error) {
		answer, err := client.Move(inv.ctx, c.Sale, parsed.Selected().Name)
		if err == nil {
			inv.warnOfEnded(answer)
		}
		return answer, err
	}
	return inv.change(c.answerAs, move, nowIn(terminal.SaleLine))
}

// warnOfEnded prints on stderr that the sale has ended and sells nothing. The command succeeds, because the operator
// may still move the end.
func (inv *invocation) warnOfEnded(answer []byte) {
	var moved sale.Sale
	if json.Unmarshal(answer, &moved) != nil || moved.State == sale.StateClosed || !moved.EndsAt.Before(time.Now()) {
		return
	}
	fmt.Fprintf(inv.stderr,
		"flashsale: sale %s ended at %s, so it sells nothing: sale create with a later ends_at lets it sell again\n",
		moved.ID, moved.EndsAt)
}

// saleHolds is freeze and thaw: the name of the command is what happens to the holds.
type saleHolds struct {
	Sale string `arg:"" help:"Sale id."`
	answerAs
}

// Run freezes or thaws the holds.
func (c saleHolds) Run(inv *invocation, parsed *kong.Context) error {
	verb := parsed.Selected().Name
	move := func(client *adminclient.Client) ([]byte, error) { return client.Holds(inv.ctx, c.Sale, verb) }
	return inv.change(c.answerAs, move, nowIn(terminal.SaleLine))
}

type saleArchive struct {
	Sale string `arg:"" help:"Sale id."`
	answerAs
}

// Run archives the sale.
func (c saleArchive) Run(inv *invocation) error {
	archive := func(client *adminclient.Client) ([]byte, error) { return client.Archive(inv.ctx, c.Sale) }
	return inv.change(c.answerAs, archive, terminal.ArchivedLine)
}
