package sale

// Outcome is a normal answer to a purchase request. The constants are in the order of the checks: a request gets the first
// outcome that applies.
type Outcome uint8

// The outcomes. Each has one row in the outcome table, one metric label and one row in docs/buyers.md.
const (
	OutcomeMalformed Outcome = iota
	OutcomeBodyTooLarge
	OutcomeHeadersTooLarge
	OutcomeNotFound
	OutcomeMethodNotAllowed
	OutcomeSaleNotFound
	OutcomeSKUNotFound
	OutcomeNotStarted
	OutcomeSaleEnded
	OutcomePaused
	OutcomeFenced
	OutcomeSoldOut // also an answer of Redis, after the checks below
	OutcomeUnauthenticated
	OutcomeNotEligible
	OutcomeRateLimited
	OutcomeOverloaded
	OutcomeUnavailable
	OutcomeReplayed
	OutcomeKeyReused
	OutcomeOverLimit
	OutcomeAlreadyBought
	OutcomeTooManyCancellations
	OutcomeNotEnough
	OutcomeQueued
	OutcomeHeld
	OutcomeUnknown

	outcomeCount
)

// OutcomeRow is the answer of an outcome.
type OutcomeRow struct {
	Code       string // problem code and metric label
	Status     int    // HTTP
	Title      string // problem title; empty if the answer is an order
	RetryAfter bool   // the answer carries Retry-After
}

var outcomeTable = [outcomeCount]OutcomeRow{
	OutcomeMalformed:        {"malformed", 400, "The request is malformed", false},
	OutcomeBodyTooLarge:     {"body_too_large", 413, "The body is too large", false},
	OutcomeHeadersTooLarge:  {"headers_too_large", 431, "The headers are too large", false},
	OutcomeNotFound:         {"not_found", 404, "There is nothing at this path", false},
	OutcomeMethodNotAllowed: {"method_not_allowed", 405, "The path does not allow this method", false},
	OutcomeSaleNotFound:     {"sale_not_found", 404, "There is no such sale", false},
	OutcomeSKUNotFound:      {"sku_not_found", 404, "The sale has no such SKU", false},
	OutcomeNotStarted:       {"not_started", 409, "The sale has not started", true},
	OutcomeSaleEnded:        {"sale_ended", 410, "The sale is over", false},
	OutcomePaused:           {"paused", 503, "The sale is paused", true},
	OutcomeFenced:           {"fenced", 503, "The stock is being checked", true},
	OutcomeSoldOut:          {"sold_out", 409, "The SKU is sold out", false},
	OutcomeUnauthenticated:  {"unauthenticated", 401, "A valid token is required", false},
	OutcomeNotEligible:      {"not_eligible", 403, "The buyer is not on the list of this sale", false},
	OutcomeRateLimited:      {"rate_limited", 429, "Too many requests", true},
	OutcomeOverloaded:       {"overloaded", 503, "Too many purchases are in progress", true},
	OutcomeUnavailable:      {"unavailable", 503, "A store is not available", true},
	OutcomeReplayed:         {"replayed", 200, "", false},
	OutcomeKeyReused:        {"idempotency_key_reused", 422, "The key belongs to an order with other lines", false},
	OutcomeOverLimit:        {"over_limit", 409, "The quantity exceeds the limit per buyer", false},
	OutcomeAlreadyBought:    {"already_bought", 409, "The buyer's limit is used up", false},
	OutcomeTooManyCancellations: {
		"too_many_cancellations", 409, "Too many of the buyer's orders were cancelled or expired", false,
	},
	OutcomeNotEnough: {"not_enough", 409, "Fewer units are left than requested", false},
	OutcomeQueued:    {"queued", 202, "", false},
	OutcomeHeld:      {"held", 202, "", false},
	OutcomeUnknown:   {"unknown", 504, "Redis did not answer in time; the order may exist", true},
}

// Row returns the outcome's row. It panics for an outcome outside the table.
func (o Outcome) Row() OutcomeRow { return outcomeTable[o] }

// String returns the outcome's code.
func (o Outcome) String() string { return outcomeTable[o].Code }

// Outcomes returns every outcome, in the order of the checks.
func Outcomes() []Outcome {
	all := make([]Outcome, outcomeCount)
	for i := range all {
		all[i] = Outcome(i)
	}
	return all
}
