package adminclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"

	"flashsale/sale"
)

// Errors of an audit that was answered with no. The command exits 1.
var (
	ErrBooksDoNotHold = errors.New("the stock equation does not hold")
	ErrStillInFlight  = errors.New("units are still in flight")
)

// defaultPoll is the interval in which a waiting audit asks.
const defaultPoll = 200 * time.Millisecond

// AuditRequest selects what to audit and how to print it.
type AuditRequest struct {
	Sale string        // empty: every sale except drafts and archived ones
	Wait time.Duration // how long to wait until no unit is in flight; 0: do not wait
	JSON bool          // true: one JSON object; false: a line per SKU and a line per invariant
	Poll time.Duration // interval of the requests while waiting, default 200 ms

	// Certify reads the stores a second time without the engine. nil: PrintAudit prints only the engine's answer.
	Certify func(ctx context.Context) (Certificate, error)
}

// Certificate is the result of reading the stores without the engine. It is printed as the member "certificate".
type Certificate interface {
	Violated() bool
	Print(out io.Writer) error // a line per invariant
}

// certifiedAnswer is the audit as JSON.
type certifiedAnswer struct {
	sale.Audit
	Certificate Certificate `json:"certificate,omitempty"`
}

// PrintAudit prints the stock equation of every SKU and the result of Certify. It returns nil when all hold (and, with
// Wait, nothing is in flight), ErrBooksDoNotHold or ErrStillInFlight when not, and an error that wraps ErrUnreadable
// when there is no answer.
func (c *Client) PrintAudit(ctx context.Context, out io.Writer, request AuditRequest) error {
	answer := certifiedAnswer{}
	var err error
	if answer.Audit, err = c.auditWhenSettled(ctx, request); err != nil {
		return err
	}
	if request.Certify != nil {
		if answer.Certificate, err = request.Certify(ctx); err != nil {
			return asUnreadable(err)
		}
		answer.Holds = answer.Holds && !answer.Certificate.Violated()
	}
	if err := printAudit(out, answer, request.JSON); err != nil {
		return fmt.Errorf("print the audit: %w", err)
	}
	switch {
	case !answer.Holds:
		return ErrBooksDoNotHold
	case request.Wait > 0 && answer.InFlight() != 0:
		return fmt.Errorf("%w: %d units after %s", ErrStillInFlight, answer.InFlight(), request.Wait)
	}
	return nil
}

// auditWhenSettled asks until nothing is in flight or the time is over. While it waits it repeats a failed reading,
// because the store may return.
func (c *Client) auditWhenSettled(ctx context.Context, request AuditRequest) (sale.Audit, error) {
	deadline := time.Now().Add(request.Wait)
	poll := request.Poll
	if poll <= 0 {
		poll = defaultPoll
	}
	for {
		answer, err := c.Audit(ctx, request.Sale)
		done := err == nil && answer.InFlight() == 0
		if done || hopeless(err) || !time.Now().Before(deadline) {
			return answer, err
		}
		select {
		case <-ctx.Done():
			return answer, fmt.Errorf("%w: %w", ErrUnreadable, ctx.Err())
		case <-time.After(poll):
		}
	}
}

// hopeless reports whether waiting cannot change a refusal, such as that of an unknown sale.
func hopeless(err error) bool {
	var refusal *Refusal
	return errors.As(err, &refusal) && refusal.Status < http.StatusInternalServerError
}

// Audit reads the stock equation of one sale into one answer; an empty id means every sale with stock that is not archived.
func (c *Client) Audit(ctx context.Context, id string) (sale.Audit, error) {
	all := sale.Audit{Holds: true, Items: []sale.AuditItem{}}
	ids := []string{id}
	if id == "" {
		var err error
		if ids, err = c.soldSales(ctx); err != nil {
			return all, err
		}
	}
	for _, id := range ids {
		var one sale.Audit
		body, err := c.quick(ctx, http.MethodGet, salePath(id, "audit"), nil)
		if err == nil {
			err = json.Unmarshal(body, &one)
		}
		if err != nil {
			return all, asUnreadable(fmt.Errorf("audit sale %s: %w", id, err))
		}
		all.Holds = all.Holds && one.Holds
		all.Items = append(all.Items, one.Items...)
	}
	return all, nil
}

// soldSales lists the sales with stock to audit.
func (c *Client) soldSales(ctx context.Context) ([]string, error) {
	var list struct {
		Sales []struct {
			ID    string     `json:"sale"`
			State sale.State `json:"state"`
		} `json:"sales"`
	}
	body, err := c.Sales(ctx)
	if err == nil {
		err = json.Unmarshal(body, &list)
	}
	if err != nil {
		return nil, asUnreadable(fmt.Errorf("list sales to audit: %w", err))
	}
	ids := []string{}
	for _, s := range list.Sales {
		if s.State != sale.StateDraft {
			ids = append(ids, s.ID)
		}
	}
	return ids, nil
}

// asUnreadable marks an error: an audit without an answer, for whatever reason, could not be read.
func asUnreadable(err error) error {
	if errors.Is(err, ErrUnreadable) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnreadable, err)
}

func printAudit(out io.Writer, answer certifiedAnswer, asJSON bool) error {
	if asJSON {
		body, err := sale.JSON(answer)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(out, "%s\n", body)
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	lines := []string{"sale\tsku\tloaded\tavailable\tin_flight\tsettled\treleased\tdifference\tholds\t"}
	for i := range answer.Items {
		lines = append(lines, auditLine(&answer.Items[i]))
	}
	if _, err := fmt.Fprintln(table, strings.Join(lines, "\n")); err != nil {
		return err
	}
	if err := table.Flush(); err != nil || answer.Certificate == nil {
		return err
	}
	return answer.Certificate.Print(out)
}

func auditLine(item *sale.AuditItem) string {
	verdict := "yes"
	if !item.Holds() {
		verdict = "NO"
	}
	return fmt.Sprintf("%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%s\t", item.Sale, item.SKU, item.Loaded, item.Available,
		item.InFlight, item.Settled, item.Released, item.Difference, verdict)
}
