package sale

// Outcome is a normal answer to a press of Buy. The order of the constants is the order of the ladder: the first that
// applies is given.
type Outcome uint8

// Every outcome has one row in the outcome table, one metric label and one row in docs/buyers.md.
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
	OutcomeSoldOut // also further down, as Redis's own verdict
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

// OutcomeRow is what one outcome looks like from outside.
type OutcomeRow struct {
	Code       string // problem code and metric label
	Status     int    // HTTP
	Title      string // problem title; empty where the answer is an order
	RetryAfter bool   // the answer carries Retry-After
}

var outcomeTable = [outcomeCount]OutcomeRow{
	OutcomeMalformed:        {"malformed", 400, "The request is malformed", false},
	OutcomeBodyTooLarge:     {"body_too_large", 413, "The body is too large", false},
	OutcomeHeadersTooLarge:  {"headers_too_large", 431, "The headers are too large", false},
	OutcomeNotFound:         {"not_found", 404, "There is nothing at this path", false},
	OutcomeMethodNotAllowed: {"method_not_allowed", 405, "The method is not offered here", false},
	OutcomeSaleNotFound:     {"sale_not_found", 404, "There is no such sale", false},
	OutcomeSKUNotFound:      {"sku_not_found", 404, "The sale has no such SKU", false},
	OutcomeNotStarted:       {"not_started", 409, "The sale has not started", true},
	OutcomeSaleEnded:        {"sale_ended", 410, "The sale is over", false},
	OutcomePaused:           {"paused", 503, "The sale is paused", true},
	OutcomeFenced:           {"fenced", 503, "The stock is being checked", true},
	OutcomeSoldOut:          {"sold_out", 409, "Nothing is left", false},
	OutcomeUnauthenticated:  {"unauthenticated", 401, "A valid token is required", false},
	OutcomeNotEligible:      {"not_eligible", 403, "The buyer is not on the list of this sale", false},
	OutcomeRateLimited:      {"rate_limited", 429, "Too many requests", true},
	OutcomeOverloaded:       {"overloaded", 503, "Too many purchases are under way", true},
	OutcomeUnavailable:      {"unavailable", 503, "A store is not available", true},
	OutcomeReplayed:         {"replayed", 200, "", false},
	OutcomeKeyReused:        {"idempotency_key_reused", 422, "The key belongs to an order of another quantity", false},
	OutcomeOverLimit:        {"over_limit", 409, "The quantity is over the limit of a buyer", false},
	OutcomeAlreadyBought:    {"already_bought", 409, "The buyer's limit is used up", false},
	OutcomeTooManyCancellations: {
		"too_many_cancellations", 409, "Too many of the buyer's orders were cancelled or expired", false,
	},
	OutcomeNotEnough: {"not_enough", 409, "Fewer are left than asked", false},
	OutcomeQueued:    {"queued", 202, "", false},
	OutcomeHeld:      {"held", 202, "", false},
	OutcomeUnknown:   {"unknown", 504, "Redis did not answer in time: perhaps taken", true},
}

// Row returns the outcome's row; an outcome outside the table is a programming error and panics.
func (o Outcome) Row() OutcomeRow { return outcomeTable[o] }

// String returns the outcome's code.
func (o Outcome) String() string { return outcomeTable[o].Code }

// Outcomes returns every outcome, in the order of the ladder.
func Outcomes() []Outcome {
	all := make([]Outcome, outcomeCount)
	for i := range all {
		all[i] = Outcome(i)
	}
	return all
}
