package adminclient

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"flashsale/sale"
)

const (
	ordersPath = "/admin/v1/orders"
	// maxOrdersPage is the most orders of one page.
	maxOrdersPage = 1000
)

// OrderFilters select orders. Empty members select all.
type OrderFilters struct {
	Sale, Buyer, SKU, Status string
	UpdatedAfter             string // RFC 3339
	Cursor                   string // of an earlier page of the same filters
}

func (f *OrderFilters) values() url.Values {
	values := url.Values{}
	for name, value := range map[string]string{
		"sale": f.Sale, "buyer": f.Buyer, "sku": f.SKU, "status": f.Status, "updated_after": f.UpdatedAfter, "cursor": f.Cursor,
	} {
		if value != "" {
			values.Set(name, value)
		}
	}
	return values
}

// EachOrder reads at most limit orders, in the order of their last change, and calls each with the JSON of every one. It
// returns the cursor of those that follow, empty when there are none.
func (c *Client) EachOrder(ctx context.Context, f OrderFilters, limit int, each func(order []byte) error) (next string,
	err error) {
	for {
		values := f.values()
		values.Set("limit", strconv.Itoa(min(limit, maxOrdersPage)))
		body, err := c.quick(ctx, http.MethodGet, ordersPath+"?"+values.Encode(), nil)
		if err != nil {
			return "", err
		}
		var page struct {
			Orders []json.RawMessage `json:"orders"`
			Next   string            `json:"next"`
		}
		if err := json.Unmarshal(body, &page); err != nil {
			return "", fmt.Errorf("%w: read a page of orders: %w", ErrUnreadable, err)
		}
		for _, order := range page.Orders {
			if err := each(order); err != nil {
				return "", err
			}
		}
		limit -= len(page.Orders)
		if page.Next == "" || limit <= 0 { // a page may be empty and have another one after it
			return page.Next, nil
		}
		f.Cursor = page.Next
	}
}

// OrdersCSV reads all orders as CSV, while they are read from the database. The error of a stream that was cut wraps
// ErrUnreadable. The caller closes the stream.
func (c *Client) OrdersCSV(ctx context.Context, f OrderFilters) (io.ReadCloser, error) {
	response, err := c.send(ctx, http.MethodGet, ordersPath+"?"+f.values().Encode(), nil, "text/csv")
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(response.Header.Get("Content-Type"), "text/csv") && response.StatusCode == http.StatusOK {
		return &wholeStream{response.Body}, nil
	}
	defer closeBody(response)
	if _, err = c.readAnswer(response); err == nil {
		err = fmt.Errorf("%w: the answer is not CSV", ErrUnreadable)
	}
	return nil, err
}

// wholeStream marks the error of a body that ends before its last chunk.
type wholeStream struct{ io.ReadCloser }

func (s *wholeStream) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // io.EOF is never wrapped by a Reader
		err = fmt.Errorf("%w to its end, what was printed is not complete: %w", ErrUnreadable, err)
	}
	return n, err
}

// CancelOrder cancels an order for the shop. Repeated, it answers the same.
func (c *Client) CancelOrder(ctx context.Context, id sale.OrderID) ([]byte, error) {
	return c.quick(ctx, http.MethodDelete, ordersPath+"/"+id.String(), nil)
}

// ExtendOrder moves the end of the time to pay to a later moment.
func (c *Client) ExtendOrder(ctx context.Context, id sale.OrderID, payBy sale.Time) ([]byte, error) {
	body := fmt.Sprintf(`{"pay_by":%q}`, payBy)
	return c.quick(ctx, http.MethodPut, ordersPath+"/"+id.String()+"/pay_by", strings.NewReader(body))
}
