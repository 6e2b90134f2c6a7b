package admin

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"

	"flashsale/sale"
)

// Codes that only the operators' API answers with; the others are outcomes of package sale.
const (
	codeWrongState      = "wrong_state"
	codeVersionConflict = "version_conflict"
	codeOrderNotFound   = "order_not_found"
	codeNotConfirmed    = "not_confirmed"
	codeWrongStatus     = "wrong_status"
	codeAlreadyPaid     = "already_paid"
	codeInternal        = "internal"
)

// Problems that are always the same.
var (
	problemInternal      = sale.Problem{Status: http.StatusInternalServerError, Code: codeInternal, Title: "The engine failed; its log says how"}
	problemOrderNotFound = sale.Problem{Status: http.StatusNotFound, Code: codeOrderNotFound, Title: "There is no such order"}
)

// answer sends a value as JSON.
func (c *call) answer(status int, value any) error {
	body, err := sale.JSON(value)
	if err != nil {
		return err
	}
	send(c.w, status, "application/json", body)
	return nil
}

// send writes a whole answer. Operators read states that change at any moment, so nothing may be cached.
func send(w http.ResponseWriter, status int, mediaType string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", mediaType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that hung up is nobody's fault
}

func writeProblem(w http.ResponseWriter, p sale.Problem) {
	if p.Status == http.StatusServiceUnavailable || p.Code == codeNotConfirmed {
		w.Header().Set("Retry-After", strconv.Itoa(1+rand.IntN(3)))
	}
	send(w, p.Status, sale.ProblemType, p.Append(nil))
}

// problemOf turns an error into the answer it stands for. fault is true when the error is a store's or the engine's, so
// that it belongs into the log.
func problemOf(err error) (p sale.Problem, fault bool) {
	var (
		problem sale.Problem
		field   *sale.FieldError
		state   *sale.StateError
		status  *sale.StatusError
		paid    *sale.PaidError
		version *sale.VersionError
		large   *http.MaxBytesError
	)
	switch {
	case errors.As(err, &problem):
		return problem, false
	case errors.As(err, &field):
		return malformed(field.Field, field.Detail), false
	case errors.As(err, &state):
		return sale.Problem{
			Status: http.StatusConflict, Code: codeWrongState, Title: "The sale's state does not allow this",
			Detail: state.Detail, Members: []sale.Member{{Name: "state", Value: state.State}},
		}, false
	case errors.As(err, &status):
		return wrongStatus(status.Status), false
	case errors.As(err, &paid):
		return sale.Problem{
			Status: http.StatusConflict, Code: codeAlreadyPaid, Title: "The order was paid by another payment",
			Detail:  "this payment is to be refunded",
			Members: []sale.Member{{Name: "payment_id", Value: paid.PaymentID}},
		}, false
	case errors.As(err, &large):
		return sale.ProblemOf(sale.OutcomeBodyTooLarge, fmt.Sprintf("a body may have %d bytes", large.Limit)), false
	case errors.Is(err, sale.ErrNotFound):
		return sale.ProblemOf(sale.OutcomeSaleNotFound, ""), false
	case errors.As(err, &version):
		return sale.Problem{
			Status: http.StatusConflict, Code: codeVersionConflict, Title: "The rules have another version by now",
			Detail:  fmt.Sprintf("the present version is %d: read it, and put your change on top of it", version.Present),
			Members: []sale.Member{{Name: "version", Value: version.Present}},
		}, false
	case errors.Is(err, sale.ErrLeaseHeld):
		return sale.ProblemOf(sale.OutcomeUnavailable, "another step of this sale is still under way"), false
	case errors.Is(err, sale.ErrForeign), errors.Is(err, sale.ErrBehind), errors.Is(err, sale.ErrRights):
		return sale.ProblemOf(sale.OutcomeUnavailable, err.Error()), true // it says what was found and what to do
	}
	return sale.ProblemOf(sale.OutcomeUnavailable, awayDetail(sale.AwayStore(err))+"; asking again is safe"), true
}

// awayDetail says who has to come back, and no more: addresses and what drivers say stand in the log.
func awayDetail(store sale.Store) string {
	if store == sale.StoreSettlement {
		return "settlement has not come to what is on its way: is flashsale settle running?"
	}
	return string(store) + " did not do its part"
}

// wrongStatus refuses a move of an order. Only one that may still be confirmed is worth another try.
func wrongStatus(is sale.OrderStatus) sale.Problem {
	if is.Pending() {
		return sale.Problem{
			Status: http.StatusConflict, Code: codeNotConfirmed, Title: "The order is not confirmed yet",
			Detail: "it can be paid or cancelled once it is confirmed",
		}
	}
	return sale.Problem{
		Status: http.StatusConflict, Code: codeWrongStatus, Title: "The order's status does not allow this",
		Members: []sale.Member{{Name: "order_status", Value: is}},
	}
}

// notConfirmed refuses a payment of an order that is on its way, and says whether it is remembered until then.
func notConfirmed(remembered bool) sale.Problem {
	p := wrongStatus(sale.StatusQueued)
	p.Detail = "another payment of the order is remembered, or there is no room to remember one; repeat it once the order is confirmed"
	if remembered {
		p.Detail = "the order will be paid when it is confirmed; repeat to hear that it is"
	}
	p.Members = []sale.Member{{Name: "remembered", Value: remembered}}
	return p
}

// malformed is bad input; field names the member or header at fault and is left out when there is none.
func malformed(field, detail string, members ...sale.Member) sale.Problem {
	if field != "" {
		members = append([]sale.Member{{Name: "field", Value: field}}, members...)
		detail = field + ": " + detail
	}
	return sale.ProblemOf(sale.OutcomeMalformed, detail, members...)
}
