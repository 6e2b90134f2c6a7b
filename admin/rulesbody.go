package admin

import (
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"flashsale/sale"
)

// rulesBody is the body of PUT /admin/v1/rules: all rules. An absent list is empty, an absent limit takes its default,
// and a limit that is null is off. The rule against grief is turned off by 0.
type rulesBody struct {
	Version        *int64              `json:"version"`
	Flow           list[flowBody]      `json:"flow"`
	Isolation      list[isolationBody] `json:"isolation"`
	CircuitBreaker list[breakerBody]   `json:"circuit_breaker"`
	Buyer          limitMember         `json:"buyer"`
	Address        limitMember         `json:"address"`
	Grief          griefMember         `json:"grief"`
}

type flowBody struct {
	Resource member[string]  `json:"resource"`
	QPS      member[float64] `json:"qps"`
}

type isolationBody struct {
	Resource    member[string] `json:"resource"`
	Concurrency member[uint32] `json:"concurrency"`
}

type breakerBody struct {
	Resource    member[string]  `json:"resource"`
	Strategy    member[string]  `json:"strategy"`
	Threshold   member[float64] `json:"threshold"`
	MaxRTMillis member[uint64]  `json:"max_rt_ms"`
	WindowMS    member[uint32]  `json:"window_ms"`
	MinRequests member[uint64]  `json:"min_requests"`
	RetryMS     member[uint32]  `json:"retry_ms"`
}

type limitBody struct {
	PerSecond member[float64] `json:"per_second"`
	Burst     member[int]     `json:"burst"`
}

// limitMember is a limit, null or absent; each has a meaning of its own.
type limitMember struct {
	body  *limitBody
	given bool
}

// UnmarshalJSONFrom reads a limit or null.
func (m *limitMember) UnmarshalJSONFrom(decoder *jsontext.Decoder, opts json.Options) error {
	m.given = true
	return json.UnmarshalDecode(decoder, &m.body, opts)
}

// griefMember is the rule against grief. null does not turn it off: its window would be unknown.
type griefMember struct{ member[griefBody] }

// UnmarshalJSONFrom reads the rule.
func (m *griefMember) UnmarshalJSONFrom(decoder *jsontext.Decoder, opts json.Options) error {
	if decoder.PeekKind() == 'n' {
		if _, err := decoder.ReadToken(); err != nil {
			return err
		}
		return &json.SemanticError{JSONPointer: decoder.StackPointer(),
			Err: plainReason("must not be null; unpaid: 0 turns it off")}
	}
	return m.member.UnmarshalJSONFrom(decoder, opts)
}

type griefBody struct {
	Unpaid  member[int]   `json:"unpaid"`
	WindowS member[int64] `json:"window_s"`
}

// decodeRules reads all rules and the version that they replace, nil when the body has none.
func decodeRules(body []byte) (sale.Rules, *int64, error) {
	var in rulesBody
	if err := decodeStrict(body, &in); err != nil {
		return sale.Rules{}, nil, err
	}
	var need required
	rules := sale.DefaultRules()
	need.limit(&rules.Buyer, "buyer", in.Buyer)
	need.limit(&rules.Address, "address", in.Address)
	need.grief(&rules.Grief, "grief", &in.Grief.member)
	for i := range in.Flow {
		rules.Flow = append(rules.Flow, need.flow(fmt.Sprintf("flow[%d]", i), &in.Flow[i]))
	}
	for i := range in.Isolation {
		rules.Isolation = append(rules.Isolation, need.isolation(fmt.Sprintf("isolation[%d]", i), &in.Isolation[i]))
	}
	for i := range in.CircuitBreaker {
		rules.CircuitBreaker = append(rules.CircuitBreaker,
			need.breaker(fmt.Sprintf("circuit_breaker[%d]", i), &in.CircuitBreaker[i]))
	}
	if need.missing != "" {
		return sale.Rules{}, nil, sale.Fieldf(need.missing, "is required")
	}
	rules.Normalize()
	return rules, in.Version, rules.Validate()
}

// required records the first member that a rule lacks. An absent number would otherwise be read as 0, which is a limit
// too.
type required struct{ missing string }

func (n *required) check(path string, given bool) {
	if !given && n.missing == "" {
		n.missing = path
	}
}

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
func (n *required) grief(to *sale.Grief, at string, in *member[griefBody]) {
	if in.given {
		n.check(at+".unpaid", in.value.Unpaid.given)
		*to = sale.Grief{Unpaid: in.value.Unpaid.value, WindowS: in.value.WindowS.or(to.WindowS)}
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
