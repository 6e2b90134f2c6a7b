package gateway

// tokenFault is what is wrong with a token; 0 is nothing.
type tokenFault uint8

const (
	tokenMissing tokenFault = iota + 1
	tokenMalformed
	tokenAlgorithm
	tokenSignature
	tokenIssuer
	tokenAudience
	tokenSubject
	tokenExpired
	tokenNotYetValid
	tokenLifetime

	tokenFaults
)

// String returns the label of flashsale_token_refusals_total.
func (f tokenFault) String() string {
	return [tokenFaults]string{
		0:                "valid",
		tokenMissing:     "missing",
		tokenMalformed:   "malformed",     // not a JWT, too long, or claims of another form; also one with a critical parameter
		tokenAlgorithm:   "algorithm",     // other than HS256
		tokenSignature:   "signature",     // by no key of the settings
		tokenIssuer:      "issuer",        // other than auth.issuer
		tokenAudience:    "audience",      // without auth.audience
		tokenSubject:     "subject",       // absent, or no buyer id
		tokenExpired:     "expired",       // exp is over, by Redis's clock
		tokenNotYetValid: "not_yet_valid", // nbf is ahead
		tokenLifetime:    "lifetime",      // exp is further ahead than auth.max_lifetime
	}[f]
}
