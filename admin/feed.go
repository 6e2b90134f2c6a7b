package admin

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"flashsale/sale"
)

// Feed reads orders by filters, in the order of their last change.
type Feed interface {
	OrderFeed(ctx context.Context, q *sale.OrderQuery) (sale.OrderPage, error)
}

// Bounds of a page of orders.
const (
	feedPage    = 100
	feedLongest = 1000
)

// headerCompleteUntil names the header of a feed: the answer has every change up to this time. See lateCommit.
const headerCompleteUntil = "Complete-Until"

// lateCommit is the longest time, as the feed counts on it, from the moment that a transaction writes into updated_at to its
// commit. A reader may have passed that moment before the commit, so it has missed no change that is older than this.
const lateCommit = 30 * time.Second

// feedParameters are the parameters of the feed; those before cursor are its filters.
var feedParameters = []string{"sale", "buyer", "sku", "status", "updated_after", "cursor", "limit"}

// feedAnswer is a page of the feed. Next is the cursor of the following page, empty on the last one.
type feedAnswer struct {
	Orders []sale.OperatorOrder `json:"orders"`
	Next   string               `json:"next,omitempty"`
}

// feedRequest is a request for the feed.
type feedRequest struct {
	query   sale.OrderQuery
	filters string    // canonical text of the filters, to which a cursor belongs
	begun   sale.Time // the database's clock at the first page, zero in the request for that page
}

// listOrders answers with one page of orders as JSON, or with all of them as CSV.
func (a *API) listOrders(c *call) error {
	request, err := c.feedRequest()
	if err != nil {
		return err
	}
	if accepts(c.r, mediaCSV) {
		return a.streamOrders(c, request)
	}
	page, err := a.feedPage(c, request)
	if err != nil {
		return err
	}
	answer := feedAnswer{Orders: make([]sale.OperatorOrder, len(page.Orders))}
	for i := range page.Orders {
		answer.Orders[i] = page.Orders[i].ForOperator()
	}
	if page.Next != nil {
		answer.Next = writeCursor(*page.Next, request.begun, request.filters)
	}
	c.w.Header().Set(headerCompleteUntil, request.completeUntil())
	return c.answer(http.StatusOK, answer)
}

// feedPage reads one page. The first page of a walk dates it.
func (a *API) feedPage(c *call, request *feedRequest) (sale.OrderPage, error) {
	ctx, cancel := a.reading(c)
	defer cancel()
	page, err := a.deps.Feed.OrderFeed(ctx, &request.query)
	if request.begun.IsZero() {
		request.begun = page.Now
	}
	return page, err
}

// completeUntil returns the value of headerCompleteUntil.
func (f *feedRequest) completeUntil() string {
	return sale.Time{Time: f.begun.Add(-lateCommit)}.String()
}

// feedRequest reads the parameters. It reports every fault at once. An empty parameter counts as not given.
func (c *call) feedRequest() (*feedRequest, error) {
	values, faults := c.parameters(feedParameters)
	f := &feedRequest{query: sale.OrderQuery{
		Sale: values.Get("sale"), Buyer: values.Get("buyer"), SKU: values.Get("sku"),
		Status: sale.OrderStatus(values.Get("status")), Limit: feedPage,
	}}
	q := &f.query
	check := func(ok bool, field, format string, args ...any) {
		if !ok {
			faults = append(faults, sale.Fieldf(field, format, args...))
		}
	}
	check(q.Sale == "" || sale.ValidID(q.Sale), "sale", "must match %s", sale.FormOfID)
	check(q.Buyer == "" || sale.ValidBuyerID(q.Buyer), "buyer", "must be 1 to %d of A-Za-z0-9._:@|+-", sale.MaxIDBytes)
	check(q.SKU == "" || sale.ValidID(q.SKU), "sku", "must match %s", sale.FormOfID)
	check(q.Status == "" || sale.KnownRowStatus(q.Status), "status", "must be %s", rowStatuses())
	if text := values.Get("updated_after"); text != "" {
		var after sale.Time
		err := after.UnmarshalText([]byte(text))
		ms := after.UnixMilli()
		check(err == nil && ms >= 0 && ms <= sale.MaxCreatedMS, "updated_after",
			"must be a time of RFC 3339 such as 2026-11-11T10:00:00Z")
		place := sale.LaterThan(after)
		q.After = &place
	}
	if text := values.Get("limit"); text != "" {
		var err error
		q.Limit, err = strconv.Atoi(text)
		check(err == nil && q.Limit >= 1 && q.Limit <= feedLongest, "limit", "must be 1 to %d", feedLongest)
	}
	f.filters = canonical(values, feedParameters[:5])
	if text := values.Get("cursor"); text != "" {
		place, begun, ok := readCursor(text, f.filters)
		check(ok, "cursor", "must be the next of an earlier answer to the same filters")
		q.After, f.begun = &place, begun
	}
	if len(faults) > 0 {
		return nil, faults
	}
	return f, nil
}

// parameters reads the query. A parameter that the route does not know, or one that is given twice, is a fault.
func (c *call) parameters(known []string) (url.Values, sale.FieldErrors) {
	values, err := url.ParseQuery(c.r.URL.RawQuery)
	var faults sale.FieldErrors
	if err != nil {
		faults = append(faults, sale.Fieldf("query", "must be name=value pairs joined by &, with %%XX for other characters"))
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		switch {
		case len(faults) == sale.MaxFieldErrors:
		case !slices.Contains(known, name):
			const fault = "is not a parameter of this route: it has %s"
			faults = append(faults, sale.Fieldf(name[:min(len(name), 64)], fault, strings.Join(known, ", ")))
		case len(values[name]) > 1:
			faults = append(faults, sale.Fieldf(name, "must be given once"))
		}
	}
	return values, faults
}

// canonical writes the given parameters in a fixed order.
func canonical(values url.Values, names []string) string {
	var text strings.Builder
	for _, name := range names {
		text.WriteString(name + "=" + url.QueryEscape(values.Get(name)) + "&")
	}
	return text.String()
}

func rowStatuses() string {
	var words []string
	for _, s := range sale.RowStatuses() {
		words = append(words, string(s))
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1] +
		"; an order that is held or queued has no row yet and is found by its id only"
}
