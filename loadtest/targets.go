package loadtest

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"time"

	"flashsale/loadtest/client"
	"flashsale/sale"
)

// Target is one line of vegeta's JSON target format (vegeta attack -format=json): method and url are required, body is
// base64, header maps names to lists of values.
type Target struct {
	Method string              `json:"method"`
	URL    string              `json:"url"`
	Body   []byte              `json:"body,omitempty"`
	Header map[string][]string `json:"header,omitempty"`
}

// Names of the query members in a target's URL. A gateway ignores unknown query members, and vegeta's results repeat
// the URL but no request header, so the verdict finds the buyer and key of an answer in the URL.
const (
	queryBuyer = "buyer"
	queryKey   = "key"
)

// TargetOptions select the presses that become targets.
type TargetOptions struct {
	Servers  []string // base URLs; buyers are spread over them
	Sale     string
	SKUs     []string // buyers are spread over them
	Crowd    Crowd
	Quantity int    // of every press, default 1
	Nonce    string // first part of every idempotency key; default: the start time
}

func (o *TargetOptions) validate() error {
	var errs []error
	if len(o.Servers) == 0 || len(o.SKUs) == 0 || len(o.Crowd) == 0 {
		errs = append(errs, errors.New("servers, SKUs and buyers must not be empty"))
	}
	if !sale.ValidID(o.Sale) {
		errs = append(errs, fmt.Errorf("sale %.70q is not a sale id", o.Sale))
	}
	for _, sku := range o.SKUs {
		if !sale.ValidID(sku) {
			errs = append(errs, fmt.Errorf("%.70q is not a SKU", sku))
		}
	}
	if o.Quantity < 1 || o.Quantity > sale.MaxQuantity {
		errs = append(errs, fmt.Errorf("quantity must be 1 to %d", sale.MaxQuantity))
	}
	if !sale.ValidKey(o.Nonce) || len(o.Nonce) > sale.MaxKeyBytes/2 {
		errs = append(errs, fmt.Errorf("nonce %.70q cannot begin a key", o.Nonce))
	}
	return errors.Join(errs...)
}

// WriteTargets writes one target per buyer. Every line ends with a newline, because vegeta drops a last line without
// one. An attack longer than the crowd sends the same targets again, which the engine treats as repeats under the same
// keys.
func WriteTargets(w io.Writer, opts TargetOptions) error {
	setDefault(&opts.Quantity, 1)
	setDefault(&opts.Nonce, fmt.Sprintf("vegeta-%x", time.Now().UnixMilli()))
	if err := opts.validate(); err != nil {
		return err
	}
	servers := make([]client.Server, len(opts.Servers))
	for i, base := range opts.Servers {
		server, err := client.ParseServer(base)
		if err != nil {
			return err
		}
		servers[i] = server
	}
	out := bufio.NewWriter(w)
	lines := json.NewEncoder(out) // ends each value with a newline
	lines.SetEscapeHTML(false)
	for i := range opts.Crowd {
		if err := lines.Encode(opts.target(servers[i%len(servers)].Base, i)); err != nil {
			return fmt.Errorf("write target %d: %w", i+1, err)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write targets: %w", err)
	}
	return nil
}

func (o *TargetOptions) target(base string, i int) Target {
	member := &o.Crowd[i]
	key := keyOf(o.Nonce, i)
	query := url.Values{queryBuyer: {member.Buyer}, queryKey: {key}}
	return Target{
		Method: "POST",
		URL:    base + purchasePath(o.Sale, o.SKUs[i%len(o.SKUs)]) + "?" + query.Encode(),
		Body:   []byte(bodyOf(o.Quantity)),
		Header: map[string][]string{
			"Authorization":   {"Bearer " + member.Token},
			"Idempotency-Key": {`"` + key + `"`},
		},
	}
}
