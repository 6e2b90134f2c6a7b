package adminclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"flashsale/sale"
)

const (
	maxAnswerBytes = 64 << 20 // of the largest answer that a command reads
	dialLimit      = 5 * time.Second
	idleLimit      = 2 * time.Minute  // the API closes idle connections after the same time
	quickLimit     = 60 * time.Second // for every request except preload, buyers, moves and archive, which have no limit
)

// ErrUnreadable is wrapped by the error of a command that only reads and could not: the listener or a store did not
// answer. The command exits 2.
var ErrUnreadable = errors.New("could not be read")

// ErrNotSent is wrapped by the error of a request that no listener got.
var ErrNotSent = errors.New("the request was not sent")

// Refusal is an error answer of the operators' API.
type Refusal struct {
	Status int    `json:"status"`
	Code   string `json:"code"`
	Title  string `json:"title"`
	Detail string `json:"detail"`
	Field  string `json:"field"`
	Role   string `json:"role"` // the least role that is allowed, of code forbidden

	Errors []FieldFault `json:"errors"` // every member at fault, at most 50; the first one is Field
}

// FieldFault is one member at fault.
type FieldFault struct {
	Field  string `json:"field"`
	Detail string `json:"detail"`
}

// Error returns the code and the detail, which names the member at fault, or the title when there is no detail. Further
// members at fault follow, one a line.
func (r *Refusal) Error() string {
	said := r.Detail
	if said == "" {
		said = r.Title
	}
	text := fmt.Sprintf("%s (%d): %s", r.Code, r.Status, said)
	for _, fault := range r.Errors[min(1, len(r.Errors)):] {
		text += "\n" + fault.Field + ": " + fault.Detail
	}
	return text
}

// ExitCode returns the exit code of a command: 0 done, 1 failed or answered with no, 2 could not be read.
func ExitCode(err error) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, ErrUnreadable):
		return 2
	}
	return 1
}

// Client sends requests to the operators' API. Every method returns the answer's JSON unchanged, or an error: *Refusal
// when the API refused, ErrUnreadable when reading failed.
type Client struct {
	base  string
	token string
	http  *http.Client
}

// NewClient returns a client for the listener at address, such as http://127.0.0.1:8081.
func NewClient(address, token string) (*Client, error) {
	base, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("operators' API address: %w", err)
	}
	if (base.Scheme != "http" && base.Scheme != "https") || base.Host == "" {
		return nil, fmt.Errorf("operators' API address %q must be http://host:port", address)
	}
	transport := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: dialLimit}).DialContext,
		TLSHandshakeTimeout: dialLimit,
		IdleConnTimeout:     idleLimit,
	}
	return &Client{base: strings.TrimSuffix(base.String(), "/"), token: token, http: &http.Client{Transport: transport}}, nil
}

// PutSale creates or changes a sale; document is its definition as JSON (see ReadDocument).
func (c *Client) PutSale(ctx context.Context, id string, document []byte) ([]byte, error) {
	return c.quick(ctx, http.MethodPut, salePath(id), bytes.NewReader(document))
}

// PutBuyers replaces the list of a listed sale, streamed from lines.
func (c *Client) PutBuyers(ctx context.Context, id string, lines io.Reader) ([]byte, error) {
	return c.do(ctx, http.MethodPut, salePath(id, "buyers"), lines)
}

// Move runs preload without progress, open, pause, resume or close.
func (c *Client) Move(ctx context.Context, id, verb string) ([]byte, error) {
	return c.do(ctx, http.MethodPost, salePath(id, verb), nil)
}

// Holds freezes or thaws the unpaid orders of a sale: verb is freeze or thaw. A thaw is answered when every order has its time.
func (c *Client) Holds(ctx context.Context, id, verb string) ([]byte, error) {
	return c.do(ctx, http.MethodPost, salePath(id, "holds", verb), nil)
}

// Archive archives a closed sale, or deletes a draft that was never preloaded.
func (c *Client) Archive(ctx context.Context, id string) ([]byte, error) {
	return c.do(ctx, http.MethodDelete, salePath(id), nil)
}

// ChangeStock adds units to a SKU of a preloaded sale, or takes back units that nobody has bought when add is negative.
// The key is the idempotency key: a repeated request with the same key changes nothing.
func (c *Client) ChangeStock(ctx context.Context, id, sku, key string, add int64) ([]byte, error) {
	body := fmt.Sprintf(`{"add":%d}`, add)
	return c.quick(ctx, http.MethodPost, salePath(id, "items", url.PathEscape(sku), "stock"), strings.NewReader(body),
		"Idempotency-Key", `"`+key+`"`)
}

// Sale reads one sale.
func (c *Client) Sale(ctx context.Context, id string) ([]byte, error) {
	return c.quick(ctx, http.MethodGet, salePath(id), nil)
}

// Sales lists all sales that are not archived.
func (c *Client) Sales(ctx context.Context) ([]byte, error) {
	return c.quick(ctx, http.MethodGet, "/admin/v1/sales", nil)
}

// AllSales lists all sales, archived ones too.
func (c *Client) AllSales(ctx context.Context) ([]byte, error) {
	return c.quick(ctx, http.MethodGet, "/admin/v1/sales?archived=true", nil)
}

// Stats counts the units of a sale by place.
func (c *Client) Stats(ctx context.Context, id string) ([]byte, error) {
	return c.quick(ctx, http.MethodGet, salePath(id, "stats"), nil)
}

// Stock reads the stock of each SKU of a sale, at one moment.
func (c *Client) Stock(ctx context.Context, id string) (map[string]sale.Stock, error) {
	body, err := c.Stats(ctx, id)
	if err != nil {
		return nil, err
	}
	var stats struct {
		Items []struct {
			SKU string `json:"sku"`
			sale.Stock
		} `json:"items"`
	}
	if err := json.Unmarshal(body, &stats); err != nil {
		return nil, fmt.Errorf("read the stats of sale %s: %w", id, err)
	}
	stock := make(map[string]sale.Stock, len(stats.Items))
	for _, item := range stats.Items {
		stock[item.SKU] = item.Stock
	}
	return stock, nil
}

// Rules reads the rules in force.
func (c *Client) Rules(ctx context.Context) ([]byte, error) {
	return c.quick(ctx, http.MethodGet, "/admin/v1/rules", nil)
}

// PutRules replaces the rules; document is the complete set as JSON (see ReadDocument).
func (c *Client) PutRules(ctx context.Context, document []byte) ([]byte, error) {
	return c.quick(ctx, http.MethodPut, "/admin/v1/rules", bytes.NewReader(document))
}

// Order reads one order.
func (c *Client) Order(ctx context.Context, id sale.OrderID) ([]byte, error) {
	return c.quick(ctx, http.MethodGet, "/admin/v1/orders/"+id.String(), nil)
}

// Preload loads a sale. progress may be nil; it is called with the buckets loaded and the buckets to load.
func (c *Client) Preload(ctx context.Context, id string, progress func(done, total int)) ([]byte, error) {
	response, err := c.send(ctx, http.MethodPost, salePath(id, "preload"), nil, "text/event-stream")
	if err != nil {
		return nil, err
	}
	defer closeBody(response)
	if !strings.HasPrefix(response.Header.Get("Content-Type"), "text/event-stream") {
		return c.readAnswer(response)
	}
	answer, err := readPreload(response.Body, progress)
	return answer, c.located(err)
}

func (c *Client) quick(ctx context.Context, method, path string, body io.Reader, header ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, quickLimit)
	defer cancel()
	return c.do(ctx, method, path, body, header...)
}

func (c *Client) do(ctx context.Context, method, path string, body io.Reader, header ...string) ([]byte, error) {
	response, err := c.send(ctx, method, path, body, "application/json", header...)
	if err != nil {
		return nil, err
	}
	defer closeBody(response)
	return c.readAnswer(response)
}

// send sends a request; header has further names and values, one after the other.
func (c *Client) send(
	ctx context.Context, method, path string, body io.Reader, accept string, header ...string,
) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, fmt.Errorf("send a request to the operators' API: %w", err)
	}
	request.Header.Set("Authorization", "Bearer "+c.token)
	request.Header.Set("Accept", accept)
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := c.http.Do(request)
	if err != nil {
		err = fmt.Errorf("send a request to the operators' API at %s, is a gateway running there (admin.url)? %w", c.base,
			cause(err))
		if unsent(err) {
			err = notSentError{err}
		}
		return nil, unreadable(method, err)
	}
	return response, nil
}

// unsent reports whether an error is one of connecting.
func unsent(err error) bool {
	var connection *net.OpError
	return errors.As(err, &connection) && connection.Op == "dial"
}

// notSentError marks an error without changing its text, which says that nothing answered.
type notSentError struct{ error }

// Unwrap returns the error and its mark.
func (e notSentError) Unwrap() []error { return []error{e.error, ErrNotSent} }

// cause removes the method and the whole URL from the client's error, because the caller names the address.
func cause(err error) error {
	var request *url.Error
	if errors.As(err, &request) {
		return request.Err
	}
	return err
}

// readAnswer returns the body of a success and the Refusal of anything else, with the next step.
func (c *Client) readAnswer(response *http.Response) ([]byte, error) {
	method := response.Request.Method
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswerBytes+1))
	if err == nil && len(body) > maxAnswerBytes {
		err = fmt.Errorf("the answer is larger than %d bytes", maxAnswerBytes)
	}
	if err != nil {
		err = fmt.Errorf("read the answer of the operators' API at %s: %w; repeat the command", c.base, err)
		return nil, unreadable(method, err)
	}
	if response.StatusCode < 300 {
		return body, nil
	}
	err = c.located(refusalOf(response.StatusCode, body))
	if response.StatusCode >= 500 {
		err = unreadable(method, err)
	}
	return nil, err
}

// refusalOf reads a problem. An answer that is not a problem, such as a proxy's page, keeps only its status.
func refusalOf(status int, body []byte) error {
	refusal := &Refusal{}
	if err := json.Unmarshal(body, refusal); err != nil || refusal.Code == "" {
		return &Refusal{Status: status, Code: codeForeign, Detail: fmt.Sprintf("%.200q", body)}
	}
	return refusal
}

// unreadable marks the errors of reads: a change that got no answer has failed, a value that could not be read is
// unknown.
func unreadable(method string, err error) error {
	if method == http.MethodGet {
		return fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	return err
}

func closeBody(response *http.Response) {
	_ = response.Body.Close() // the answer has been read
}

// salePath escapes the id, so that a malformed id reaches the API as one segment and the API refuses it.
func salePath(id string, verb ...string) string {
	return strings.Join(append([]string{"/admin/v1/sales/" + url.PathEscape(id)}, verb...), "/")
}
