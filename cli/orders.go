package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"flashsale/adminclient"
	"flashsale/sale"
)

// Orders reads and changes orders through the operators' API.
type Orders struct {
	List   ordersList  `cmd:"" default:"withargs" help:"Print orders in the order of their last change, oldest first."`
	Show   orderShow   `cmd:"" help:"Print one order."`
	Cancel orderCancel `cmd:"" help:"Cancel an order and return its units."`
	Extend orderExtend `cmd:"" help:"Give the buyer of an order more time to pay."`
}

type ordersList struct {
	Sale         string `help:"Orders of this sale."`
	Buyer        string `help:"Orders of this buyer."`
	SKU          string `name:"sku" help:"Orders with a line of this SKU."`
	Status       string `help:"Orders in this status: confirmed, paid, cancelled, expired or refused."`
	UpdatedAfter string `placeholder:"TIME" help:"Orders that changed after this time (RFC 3339), or within a time such as 2h."`
	Cursor       string `help:"Continue where an earlier list of the same orders ended."`
	Output       string `short:"o" enum:"table,json,csv" default:"table" help:"Output format: table, json or csv."`
	Limit        int    `help:"Most orders to print. Default: 100, and all of them with -o csv."`
}

// Validate refuses a negative limit.
func (c *ordersList) Validate() error {
	if c.Limit < 0 {
		return errors.New("--limit must be at least 0; 0 is the default")
	}
	return nil
}

// Run prints the orders.
func (c *ordersList) Run(inv *invocation) error {
	client, err := inv.client("orders")
	if err != nil {
		return err
	}
	filters := adminclient.OrderFilters{
		Sale: c.Sale, Buyer: c.Buyer, SKU: c.SKU, Status: c.Status, Cursor: c.Cursor,
		UpdatedAfter: timeOrAge(c.UpdatedAfter, time.Now()),
	}
	if c.Output == "csv" {
		stream, err := client.OrdersCSV(inv.ctx, filters)
		if err != nil {
			return exitOf(err)
		}
		defer stream.Close()
		return exitOf(copyRows(inv.stdout, stream, c.Limit))
	}
	write := printOrdersTable
	if c.Output == "json" {
		write = printOrdersJSON
	}
	limit := c.Limit
	if limit == 0 {
		limit = 100
	}
	return exitOf(write(inv, func(each func([]byte) error) (string, error) {
		return client.EachOrder(inv.ctx, filters, limit, each)
	}))
}

// copyRows copies CSV, of at most limit orders, or of all when the limit is 0. An order begins with its first line.
func copyRows(out io.Writer, rows io.Reader, limit int) error {
	if limit == 0 {
		_, err := io.Copy(out, rows)
		return err
	}
	const columnLine = 5
	lines := bufio.NewReader(rows)
	for orders := -1; ; { // the header is no order
		line, err := lines.ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if cells := strings.Split(line, ","); orders < 0 || len(cells) > columnLine && cells[columnLine] == "1" {
			orders++
		}
		if line == "" || orders > limit {
			return nil
		}
		if _, err := io.WriteString(out, line); err != nil {
			return err
		}
	}
}

// printOrdersJSON prints one object: the orders, and the cursor of those that follow.
func printOrdersJSON(inv *invocation, orders func(each func([]byte) error) (string, error)) error {
	out := bufio.NewWriter(inv.stdout)
	fmt.Fprint(out, `{"orders":[`)
	separator := ""
	next, err := orders(func(order []byte) error {
		_, err := fmt.Fprintf(out, "%s%s", separator, order)
		separator = ","
		return err
	})
	if err != nil {
		return err // what was printed is no JSON without its end
	}
	fmt.Fprint(out, "]")
	if next != "" {
		fmt.Fprintf(out, `,"next":%q`, next)
	}
	fmt.Fprintln(out, "}")
	return out.Flush()
}

// shownOrder is what a row of the table shows.
type shownOrder struct {
	OrderID    string      `json:"order_id"`
	Status     string      `json:"status"`
	Reason     string      `json:"reason"`
	Sale       string      `json:"sale"`
	BuyerID    string      `json:"buyer_id"`
	Lines      []sale.Line `json:"lines"`
	TotalCents int64       `json:"total_cents"`
	Currency   string      `json:"currency"`
	UpdatedAt  string      `json:"updated_at"`
	PayBy      string      `json:"pay_by"`
}

func printOrdersTable(inv *invocation, orders func(each func([]byte) error) (string, error)) error {
	table := tabwriter.NewWriter(inv.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ORDER\tSTATUS\tSALE\tBUYER\tLINES\tTOTAL_CENTS\tUPDATED_AT\tPAY_BY")
	found := false
	next, err := orders(func(text []byte) error {
		found = true
		var o shownOrder
		if err := json.Unmarshal(text, &o); err != nil {
			return fmt.Errorf("%w: %w", adminclient.ErrUnreadable, err)
		}
		_, err := fmt.Fprintln(table, strings.Join(o.cells(), "\t"))
		return err
	})
	if err != nil && !found {
		return err // a header alone would say that there are no such orders
	}
	if flushed := table.Flush(); err == nil {
		err = flushed
	}
	if err == nil && next != "" {
		const more = "flashsale: more orders follow: repeat the command with --cursor %s, or with a higher --limit\n"
		fmt.Fprintf(inv.stderr, more, next)
	}
	return err
}

func (o *shownOrder) cells() []string {
	status := o.Status
	if o.Reason != "" {
		status += " (" + o.Reason + ")"
	}
	lines := make([]string, len(o.Lines))
	for i := range o.Lines {
		lines[i] = strconv.Itoa(o.Lines[i].Quantity) + " " + o.Lines[i].SKU
	}
	payBy := o.PayBy
	if payBy == "" {
		payBy = "-"
	}
	total := strings.TrimSpace(strconv.FormatInt(o.TotalCents, 10) + " " + o.Currency)
	return []string{o.OrderID, status, o.Sale, o.BuyerID, strings.Join(lines, ", "), total, o.UpdatedAt, payBy}
}

type orderShow struct {
	ID string `arg:"" help:"Order id."`
}

// Run prints the order.
func (c orderShow) Run(inv *invocation) error {
	return inv.withOrder(c.ID, func(client *adminclient.Client, id sale.OrderID) ([]byte, error) {
		return client.Order(inv.ctx, id)
	})
}

type orderCancel struct {
	ID string `arg:"" help:"Order id."`
}

// Run cancels the order and prints it.
func (c orderCancel) Run(inv *invocation) error {
	return inv.withOrder(c.ID, func(client *adminclient.Client, id sale.OrderID) ([]byte, error) {
		return client.CancelOrder(inv.ctx, id)
	})
}

type orderExtend struct {
	ID    string    `arg:"" help:"Order id."`
	PayBy sale.Time `required:"" placeholder:"TIME" help:"New end of the time to pay (RFC 3339), later than the present one."`
}

// Run extends the time and prints the order.
func (c orderExtend) Run(inv *invocation) error {
	return inv.withOrder(c.ID, func(client *adminclient.Client, id sale.OrderID) ([]byte, error) {
		return client.ExtendOrder(inv.ctx, id, c.PayBy)
	})
}

// withOrder makes one call about an order and prints its answer.
func (inv *invocation) withOrder(text string, call func(*adminclient.Client, sale.OrderID) ([]byte, error)) error {
	id, err := sale.ParseOrderID(text)
	if err != nil {
		return &exitError{ExitUsage, fmt.Errorf("order %q: %w", text, err)}
	}
	return inv.operate("orders", func(client *adminclient.Client) ([]byte, error) { return call(client, id) })
}
