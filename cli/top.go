package cli

import (
	"context"

	"flashsale/adminclient"
	"flashsale/terminal"
)

// Top shows the live numbers of all sales, or of one.
type Top struct {
	Sale   string `arg:"" optional:"" help:"Sale id; default: the list of all sales."`
	Search string `help:"Show the SKUs, or the sales, with this text in their id or name."`
	Sort   string `enum:"sku,available,sold,orders" default:"sku" help:"Order of a sale's SKUs: sku, available, sold or orders."`
	Once   bool   `help:"Print the numbers once and end."`
}

// Run shows them until it is quit. Where stdout is no terminal it prints a block of lines a second.
func (c Top) Run(inv *invocation) error {
	client, err := inv.client("top")
	if err != nil {
		return err
	}
	return exitOf(terminal.Top{
		Source: liveSource{client}, Sale: c.Sale, Search: c.Search, Sort: c.Sort, Once: c.Once, Environ: inv.environ,
		In: inv.stdin, Out: inv.stdout,
	}.Run(inv.ctx))
}

// liveSource is the operators' API as the live screen asks it.
type liveSource struct{ client *adminclient.Client }

// WatchSales passes on the events of the list.
func (s liveSource) WatchSales(ctx context.Context, each func(event string, data []byte)) error {
	return s.client.WatchLiveSales(ctx, each)
}

// WatchSale passes on the events of a sale.
func (s liveSource) WatchSale(ctx context.Context, id string, q terminal.Query, each func(event string, data []byte)) error {
	return s.client.WatchLive(ctx, id, adminclient.LiveQuery{Search: q.Search, Sort: q.Sort, From: q.From, Limit: q.Limit}, each)
}
