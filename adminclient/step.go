package adminclient

import (
	"errors"
	"fmt"
	"net/http"
)

// Codes of refusals that have a next step of their own. codeForeign is the client's word for an answer that is no problem.
const (
	codeForeign   = "http"
	codeNoSale    = "sale_not_found"
	codeForbidden = "forbidden"
	codeNoRoute   = "not_found"
)

// located adds the address and the next step to a refusal that its own text does not explain. It returns other errors, and nil,
// as they are: the error of a request without an answer has the address already.
func (c *Client) located(err error) error {
	var refusal *Refusal
	if !errors.As(err, &refusal) {
		return err
	}
	step := refusal.step()
	if step == "" {
		return err
	}
	return fmt.Errorf("%w; this is the answer of %s: %s", err, c.base, step)
}

func (r *Refusal) step() string {
	switch {
	case r.Code == codeForeign && r.Status < http.StatusInternalServerError:
		return "it is not the operators' API: set admin.url to the operators' listener of a gateway (admin.listen)"
	case r.Code == codeForeign:
		return "a proxy answers there, and reaches no gateway: start one, or set admin.url to its operators' listener"
	case r.Code == codeNoRoute: // also the answer of the buyers' listener
		return "set admin.url to the operators' listener (admin.listen) of a gateway of this version"
	case r.Code == codeNoSale:
		return "flashsale sale list names its sales"
	case r.Status == http.StatusUnauthorized:
		return "set admin.token to the token that the gateway has, or admin.url to another gateway"
	case r.Code == codeForbidden && r.Role != "":
		return "set admin.token to a token with the role " + r.Role
	case r.Status == http.StatusForbidden:
		return "set admin.token to a token with this right"
	case r.Status == http.StatusMisdirectedRequest:
		return "add this name to admin.hosts of the gateway, or set admin.url to its address"
	case r.Status == http.StatusTooManyRequests:
		return "correct admin.token, wait a minute and repeat the command"
	case r.Code == "overloaded": // its detail says of what there are too many
		return ""
	case r.Status >= http.StatusInternalServerError:
		return "the gateway's /readyz and its log name the address of what is away"
	}
	return ""
}
