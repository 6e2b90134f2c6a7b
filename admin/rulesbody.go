package admin

import (
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"flashsale/sale"
)

// rulesBody is the body of PUT /admin/v1/rules: all rules. An absent list is empty, an absent limit takes its default,
// and a limit that is null is off. The rule against grief is turned off by 0.
type rulesBody struct {
	Version        nullable[int64]     `json:"version"`
	Flow           list[flowBody]      `json:"flow"`
	Isolation      list[isolationBody] `json:"isolation"`
	CircuitBreaker list[breakerBody]   `json:"circuit_breaker"`
	Buyer          limitMember         `json:"buyer"`
	Address        limitMember         `json:"address"`
	Grief          griefMember         `json:"grief"`
	Brake          passedOver          `json:"brake"` // in a set that was read: the engine's own
	Unknown        unknown             `json:",unknown"`
}

type flowBody struct {
	Resource member[string]  `json:"resource"`
	QPS      member[float64] `json:"qps"`
	Unknown  unknown         `json:",unknown"`
}

type isolationBody struct {
	Resource    member[string] `json:"resource"`
	Concurrency member[uint32] `json:"concurrency"`
	Unknown     unknown        `json:",unknown"`
}

type breakerBody struct {
	Resource    member[string]  `json:"resource"`
	Strategy    member[string]  `json:"strategy"`
	Threshold   member[float64] `json:"threshold"`
	MaxRTMillis member[uint64]  `json:"max_rt_ms"`
	WindowMS    member[uint32]  `json:"window_ms"`
	MinRequests member[uint64]  `json:"min_requests"`
	RetryMS     member[uint32]  `json:"retry_ms"`
	Unknown     unknown         `json:",unknown"`
}

type limitBody struct {
	PerSecond member[float64] `json:"per_second"`
	Burst     member[int]     `json:"burst"`
	Unknown   unknown         `json:",unknown"`
}

// limitMember is a limit, null or absent; each has a meaning of its own.
type limitMember struct {
	body  *limitBody
	given bool
}

func (m *limitMember) readFrom(decoder *jsontext.Decoder, found *faultList) error {
	if m.given {
		return skip(decoder, found, twice)
	}
	m.given = true
	if decoder.PeekKind() == 'n' {
		return decoder.SkipValue()
	}
	m.body = &limitBody{}
	return readObject(decoder, found, m.body)
}

// griefMember is the rule against grief. null does not turn it off: its window would be unknown.
type griefMember struct {
	body  griefBody
	given bool
}

func (m *griefMember) readFrom(decoder *jsontext.Decoder, found *faultList) error {
	if m.given {
		return skip(decoder, found, twice)
	}
	m.given = true
	if decoder.PeekKind() == 'n' {
		return skip(decoder, found, notNull+"; unpaid: 0 turns it off")
	}
	return readObject(decoder, found, &m.body)
}

type griefBody struct {
	Unpaid  member[int]   `json:"unpaid"`
	WindowS member[int64] `json:"window_s"`
	Unknown unknown       `json:",unknown"`
}

// decodeRules reads all rules and the version that they replace, nil when the body has none. The error of rules that are
// JSON names every member that cannot be decoded or is missing, and the first one out of its range: sale.FieldErrors.
func decodeRules(body []byte) (sale.Rules, *int64, error) {
	var in rulesBody
	found, err := decodeStrict(body, &in, nil)
	if err != nil {
		return sale.Rules{}, nil, err
	}
	need := required{found}
	rules := sale.DefaultRules()
	need.limit(&rules.Buyer, "buyer", in.Buyer)
	need.limit(&rules.Address, "address", in.Address)
	need.grief(&rules.Grief, "grief", &in.Grief)
	for i := range in.Flow.elements {
		rules.Flow = append(rules.Flow, need.flow(fmt.Sprintf("flow[%d]", i), &in.Flow.elements[i]))
	}
	for i := range in.Isolation.elements {
		rules.Isolation = append(rules.Isolation, need.isolation(fmt.Sprintf("isolation[%d]", i), &in.Isolation.elements[i]))
	}
	for i := range in.CircuitBreaker.elements {
		rules.CircuitBreaker = append(rules.CircuitBreaker,
			need.breaker(fmt.Sprintf("circuit_breaker[%d]", i), &in.CircuitBreaker.elements[i]))
	}
	rules.Normalize()
	return rules, in.Version.value, found.join(rules.Validate())
}

// required notes the members that a rule lacks. An absent number would otherwise be read as 0, which is a limit too.
type required struct{ found *faultList }

func (n *required) check(path string, given bool) { n.found.need(path, given) }

func (n *required) flow(at string, in *flowBody) sale.FlowRule {
	n.check(at+".resource", in.Resource.given)
	n.check(at+".qps", in.QPS.given)
	return sale.FlowRule{Resource: in.Resource.value, QPS: in.QPS.value}
}

func (n *required) isolation(at string, in *isolationBody) sale.IsolationRule {
	n.check(at+".resource", in.Resource.given)
	n.check(at+".concurrency", in.Concurrency.given)
	return sale.IsolationRule{Resource: in.Resource.value, Concurrency: in.Concurrency.value}
}

func (n *required) breaker(at string, in *breakerBody) sale.BreakerRule {
	n.check(at+".resource", in.Resource.given)
	n.check(at+".strategy", in.Strategy.given)
	n.check(at+".threshold", in.Threshold.given)
	n.check(at+".window_ms", in.WindowMS.given)
	n.check(at+".min_requests", in.MinRequests.given)
	n.check(at+".retry_ms", in.RetryMS.given)
	return sale.BreakerRule{
		Resource: in.Resource.value, Strategy: in.Strategy.value, Threshold: in.Threshold.value,
		MaxRTMillis: in.MaxRTMillis.value, WindowMS: in.WindowMS.value,
		MinRequests: in.MinRequests.value, RetryMS: in.RetryMS.value,
	}
}

// grief copies the rule when the body has it.
func (n *required) grief(to *sale.Grief, at string, in *griefMember) {
	if in.given {
		n.check(at+".unpaid", in.body.Unpaid.given)
		*to = sale.Grief{Unpaid: in.body.Unpaid.value, WindowS: in.body.WindowS.or(to.WindowS)}
	}
}

// limit copies a limit when the body has it; null turns it off.
func (n *required) limit(to **sale.Limit, at string, in limitMember) {
	switch {
	case !in.given:
	case in.body == nil:
		*to = nil
	default:
		n.check(at+".per_second", in.body.PerSecond.given)
		n.check(at+".burst", in.body.Burst.given)
		*to = &sale.Limit{PerSecond: in.body.PerSecond.value, Burst: in.body.Burst.value}
	}
}
