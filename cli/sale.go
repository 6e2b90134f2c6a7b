package cli

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"time"

	"github.com/alecthomas/kong"

	"flashsale/adminclient"
	"flashsale/sale"
)

// Sale runs the life cycle of a sale through the operators' API. It prints the API's own JSON.
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
}

type saleCreate struct {
	Sale string `arg:"" help:"Sale id."`
	File string `short:"f" required:"" help:"File with the sale as YAML or JSON; - for stdin."`
}

// Run puts the sale.
func (c saleCreate) Run(inv *invocation) error {
	return inv.operate("sale", func(client *adminclient.Client) ([]byte, error) {
		document, err := inv.document(c.File)
		if err != nil {
			return nil, err
		}
		return client.PutSale(inv.ctx, c.Sale, document)
	})
}

type saleBuyers struct {
	Sale string `arg:"" help:"Sale id."`
	File string `short:"f" required:"" help:"File with one buyer id per line; - for stdin."`
}

// Run streams the list.
func (c saleBuyers) Run(inv *invocation) error {
	return inv.operate("sale", func(client *adminclient.Client) ([]byte, error) {
		lines, err := adminclient.OpenInput(c.File, inv.stdin)
		if err != nil {
			return nil, err
		}
		defer lines.Close()
		return client.PutBuyers(inv.ctx, c.Sale, lines)
	})
}

type salePreload struct {
	Sale string `arg:"" help:"Sale id."`
}

// Run loads the sale and prints its progress on stderr.
func (c salePreload) Run(inv *invocation) error {
	return inv.operate("sale", func(client *adminclient.Client) ([]byte, error) {
		answer, err := client.Preload(inv.ctx, c.Sale, func(done, total int) {
			fmt.Fprintf(inv.stderr, "loaded %d of %d buckets\n", done, total)
		})
		if err == nil {
			inv.warnOfEnded(answer)
		}
		return answer, err
	})
}

// saleMove is open, pause, resume and close: the name of the command is the move.
type saleMove struct {
	Sale string `arg:"" help:"Sale id."`
}

// Run makes the move.
func (c saleMove) Run(inv *invocation, parsed *kong.Context) error {
	verb := parsed.Selected().Name
	return inv.operate("sale", func(client *adminclient.Client) ([]byte, error) {
		answer, err := client.Move(inv.ctx, c.Sale, verb)
		if err == nil {
			inv.warnOfEnded(answer)
		}
		return answer, err
	})
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

type saleStock struct {
	Sale string `arg:"" help:"Sale id."`
	SKU  string `arg:"" name:"sku" help:"SKU."`
	Add  int64  `required:"" help:"Units to add; negative to take back units that nobody has bought, as --add=-5."`
	Key  string `help:"Idempotency key of the change: repeating the command with it changes nothing; default: a new one."`
}

// Run makes the change. It prints a key that it made before it sends the request, so that the command can be repeated.
func (c saleStock) Run(inv *invocation) error {
	return inv.operate("sale", func(client *adminclient.Client) ([]byte, error) {
		if c.Key == "" {
			c.Key = rand.Text()
			const repeat = "flashsale: the key of this change is %s: to repeat the command, add --key %[1]s\n"
			fmt.Fprintf(inv.stderr, repeat, c.Key)
		}
		return client.ChangeStock(inv.ctx, c.Sale, c.SKU, c.Key, c.Add)
	})
}

// saleHolds is freeze and thaw: the name of the command is what happens to the holds.
type saleHolds struct {
	Sale string `arg:"" help:"Sale id."`
}

// Run freezes or thaws the holds.
func (c saleHolds) Run(inv *invocation, parsed *kong.Context) error {
	verb := parsed.Selected().Name
	return inv.operate("sale", func(client *adminclient.Client) ([]byte, error) { return client.Holds(inv.ctx, c.Sale, verb) })
}

type saleArchive struct {
	Sale string `arg:"" help:"Sale id."`
}

// Run archives the sale and prints it with its final books.
func (c saleArchive) Run(inv *invocation) error {
	return inv.operate("sale", func(client *adminclient.Client) ([]byte, error) { return client.Archive(inv.ctx, c.Sale) })
}

type saleShow struct {
	Sale   string `arg:"" help:"Sale id."`
	Output string `short:"o" enum:"json,yaml" default:"json" help:"json: sale with state; yaml: definition for create -f."`
}

// Run prints the sale.
func (c saleShow) Run(inv *invocation) error {
	return inv.operate("sale", func(client *adminclient.Client) ([]byte, error) {
		answer, err := client.Sale(inv.ctx, c.Sale)
		if err != nil || c.Output == "json" {
			return answer, err
		}
		return adminclient.DefinitionYAML(answer)
	})
}

type saleList struct {
	Archived bool `help:"Print archived sales too."`
}

// Run prints the sales.
func (c saleList) Run(inv *invocation) error {
	return inv.operate("sale", func(client *adminclient.Client) ([]byte, error) {
		if c.Archived {
			return client.AllSales(inv.ctx)
		}
		return client.Sales(inv.ctx)
	})
}
