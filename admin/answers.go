package admin

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"

	"flashsale/sale"
)

// Codes that only the operators' API answers with; package sale defines the others as outcomes.
const (
	codeWrongState      = "wrong_state"
	codeNotAtRest       = "not_at_rest"
	codeVersionConflict = "version_conflict"
	codeOrderNotFound   = "order_not_found"
	codeNotConfirmed    = "not_confirmed"
	codeWrongStatus     = "wrong_status"
	codeAlreadyPaid     = "already_paid"
	codeNotFrozen       = "not_frozen"
	codeInternal        = "internal"
	codeLetterNotFound  = "deadletter_not_found"
	codeCannotSettle    = "cannot_settle"
	codeForbidden       = "forbidden"
	codeCSRF            = "csrf_required"
	codeUnknownHost     = "unknown_host"
)

// memberRemembered is the member of an answer that says whether a payment is stored.
const memberRemembered = "remembered"

// Problems without a detail.
var (
	problemInternal = sale.Problem{Status: http.StatusInternalServerError, Code: codeInternal,
		Title: "The engine failed; its log has the cause"}
	problemCSRF = sale.Problem{Status: http.StatusForbidden, Code: codeCSRF,
		Title: "A browser's write needs the header X-CSRF-Token", Detail: "its value is csrf of GET /admin/v1/session"}
	problemNoTokens = sale.ProblemOf(sale.OutcomeUnauthenticated,
		"this process has no operators' token, so it lets nobody in: set admin.token or admin.tokens for it and restart it")
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

// send writes a whole answer. No answer may be cached, because the state of a sale can change at any moment.
func send(w http.ResponseWriter, status int, mediaType string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", mediaType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client may have closed the connection
}

func writeProblem(w http.ResponseWriter, p sale.Problem) {
	if p.Status == http.StatusServiceUnavailable || p.Code == codeNotConfirmed {
		w.Header().Set("Retry-After", strconv.Itoa(1+rand.IntN(3)))
	}
	send(w, p.Status, sale.ProblemType, p.Append(nil))
}

// problemOf turns an error into the answer. fault is true when a store or the engine caused the error; such an error is
// logged.
func problemOf(err error) (p sale.Problem, fault bool) {
	var (
		problem sale.Problem
		fields  sale.FieldErrors
		field   *sale.FieldError
		state   *sale.StateError
		unrest  *sale.UnrestError
		status  *sale.StatusError
		paid    *sale.PaidError
		version *sale.VersionError
		large   *http.MaxBytesError
	)
	switch {
	case errors.As(err, &problem):
		return problem, false
	case errors.As(err, &fields):
		return malformedFields(fields), false
	case errors.As(err, &field):
		return malformedFields(sale.FieldErrors{field}), false
	case errors.As(err, &state):
		return sale.Problem{
			Status: http.StatusConflict, Code: codeWrongState, Title: "The sale's state does not allow this",
			Detail: state.Detail, Members: []sale.Member{{Name: "state", Value: state.State}},
		}, false
	case errors.As(err, &unrest):
		return sale.Problem{
			Status: http.StatusConflict, Code: codeNotAtRest, Title: "The sale is not at rest",
			Detail: unrest.Error(), Members: []sale.Member{{Name: "conditions", Value: unrest.Conditions()}},
		}, false
	case errors.As(err, &status):
		return wrongStatus(status.Status), false
	case errors.As(err, &paid):
		return sale.Problem{
			Status: http.StatusConflict, Code: codeAlreadyPaid, Title: "The order was paid by another payment",
			Detail:  "refund this payment",
			Members: []sale.Member{{Name: "payment_id", Value: paid.PaymentID}},
		}, false
	case errors.As(err, &large):
		return sale.ProblemOf(sale.OutcomeBodyTooLarge, fmt.Sprintf("a body has at most %d bytes", large.Limit)), false
	case errors.Is(err, sale.ErrChangeReused):
		return sale.Problem{
			Status: http.StatusUnprocessableEntity, Code: sale.OutcomeKeyReused.String(),
			Title:  "The key belongs to another stock change",
			Detail: "the " + fieldKey + " was sent with another number of units; use a new key for another change",
		}, false
	case errors.Is(err, sale.ErrNotFound):
		return sale.ProblemOf(sale.OutcomeSaleNotFound, ""), false
	case errors.As(err, &version):
		return sale.Problem{
			Status: http.StatusConflict, Code: codeVersionConflict, Title: "The rules have another version",
			Detail: fmt.Sprintf("the present version is %d: read the rules and apply your change to that version",
				version.Present),
			Members: []sale.Member{{Name: "version", Value: version.Present}},
		}, false
	case errors.Is(err, sale.ErrNotFrozen):
		return sale.Problem{
			Status: http.StatusConflict, Code: codeNotFrozen, Title: "The holds of the sale are not frozen",
			Detail: "there is nothing to thaw: unpaid orders expire when their time to pay is over",
		}, false
	case errors.Is(err, sale.ErrThawing):
		return sale.ProblemOf(sale.OutcomeUnavailable, "a thaw of this sale is under way; freeze it when that has ended"), false
	case errors.Is(err, sale.ErrLeaseHeld):
		return sale.ProblemOf(sale.OutcomeUnavailable, "another step of this sale is still running"), false
	case errors.Is(err, sale.ErrForeign), errors.Is(err, sale.ErrBehind), errors.Is(err, sale.ErrRights):
		return sale.ProblemOf(sale.OutcomeUnavailable, err.Error()), true // the error names what was found and what to do
	}
	return sale.ProblemOf(sale.OutcomeUnavailable, awayDetail(sale.AwayStore(err))+"; repeating the request is safe"), true
}

// awayDetail names only the store that failed. Addresses and the texts of drivers are logged, not answered.
func awayDetail(store sale.Store) string {
	if store == sale.StoreSettlement {
		return "settlement is behind the orders topic: is flashsale settle running?"
	}
	return "the request to " + string(store) + " failed"
}

// wrongStatus refuses a change of an order. Only a pending order may allow the change later.
func wrongStatus(is sale.OrderStatus) sale.Problem {
	if is.Pending() {
		return sale.Problem{
			Status: http.StatusConflict, Code: codeNotConfirmed, Title: "The order is not confirmed yet",
			Detail: "it can be paid or cancelled once it is confirmed",
		}
	}
	return refusedStatus(is)
}

// refusedStatus refuses a change of an order that its status forbids.
func refusedStatus(is sale.OrderStatus) sale.Problem {
	return sale.Problem{
		Status: http.StatusConflict, Code: codeWrongStatus, Title: "The order's status does not allow this",
		Detail:  "the order is " + string(is),
		Members: []sale.Member{{Name: "order_status", Value: is}},
	}
}

// notConfirmed refuses a payment of an order that has no row yet. remembered: the payment is stored until the row
// exists.
func notConfirmed(remembered bool) sale.Problem {
	p := wrongStatus(sale.StatusQueued)
	p.Detail = "another payment of the order is remembered, or there is no room to remember one; repeat it once the order is " +
		"confirmed"
	if remembered {
		p.Detail = "the order will be paid when it is confirmed; repeat the request to learn the result"
	}
	p.Members = []sale.Member{{Name: memberRemembered, Value: remembered}}
	return p
}

// isRemembered reports whether an answer says that the payment is stored, although the order is not paid yet.
func isRemembered(p *sale.Problem) bool {
	return slices.ContainsFunc(p.Members, func(m sale.Member) bool { return m.Name == memberRemembered && m.Value == true })
}

// malformed refuses bad input. field names the member or header at fault; it is left out when empty.
func malformed(field, detail string, members ...sale.Member) sale.Problem {
	if field != "" {
		members = append([]sale.Member{{Name: "field", Value: field}}, members...)
		detail = field + ": " + detail
	}
	return sale.ProblemOf(sale.OutcomeMalformed, detail, members...)
}

// fieldFault is one fault of a body.
type fieldFault struct {
	Field  string `json:"field"`
	Detail string `json:"detail"` // names the range or the words of the member
}

// malformedFields refuses a body by all its faults; the first one is named at the top too.
func malformedFields(found sale.FieldErrors) sale.Problem {
	all := make([]fieldFault, len(found))
	for i, fault := range found {
		all[i] = fieldFault{fault.Field, fault.Detail}
	}
	return malformed(found[0].Field, found[0].Detail, sale.Member{Name: "errors", Value: all})
}
