package terminal

import (
	"context"
	"log/slog"
	"time"

	"flashsale/role"
	"flashsale/sale"
)

// Query selects SKUs of a sale. Search is a part of a SKU or its name, Sort is one of Sorts.
type Query struct {
	Search string
	Sort   string
	From   int
	Limit  int
}

// Sorts are the orders of a sale's SKUs: as they are defined, then by a number, the largest first.
func Sorts() []string { return []string{"sku", "available", "sold", "orders"} }

// Source is the operators' API. A method calls each with the name and the data of every event until ctx or the stream ends; its
// error says why it ended.
type Source interface {
	WatchSales(ctx context.Context, each func(event string, data []byte)) error
	WatchSale(ctx context.Context, id string, query Query, each func(event string, data []byte)) error
}

// update is something new for the screen. Updates of an earlier watch than the present one are dropped.
type update struct {
	watch int
	at    time.Time
	event any // LiveSales, Live, sale.TrailEntry, problem or lost
}

// problem is a reading that failed while the stream goes on.
type problem struct {
	Detail string `json:"detail"`
	Title  string `json:"title"`
}

// lost is a stream that ended; the watch begins another one.
type lost struct{ err error }

// retryEvery is the rest before a stream that ended begins again.
const retryEvery = time.Second

// watch sends what the source says of a sale, or of all sales when id is empty, until ctx ends. It begins again when the stream
// ends.
func watch(ctx context.Context, source Source, id string, query Query, send func(event any)) {
	each := func(event string, data []byte) {
		if value, known := eventOf(event, data); known {
			send(value)
		}
	}
	streams := role.Loop{
		Name: "live screen", Log: slog.New(slog.DiscardHandler), Every: retryEvery, // the screen shows the failures
		Unit: func(ctx context.Context) error {
			var err error
			if id == "" {
				err = source.WatchSales(ctx, each)
			} else {
				err = source.WatchSale(ctx, id, query, each)
			}
			if ctx.Err() == nil {
				send(lost{err})
			}
			return err
		},
	}
	streams.Run(ctx)
}

// eventOf reads an event; one that the screen does not show is not known.
func eventOf(event string, data []byte) (value any, known bool) {
	var err error
	switch event {
	case "sales":
		value, err = ReadLiveSales(data)
	case "live":
		value, err = ReadLive(data)
	case "trail":
		value, err = decode[sale.TrailEntry](data, "an entry of the trail")
	case "problem":
		value, err = decode[problem](data, "a problem")
	default:
		return nil, false
	}
	if err != nil {
		return lost{err}, true
	}
	return value, true
}
