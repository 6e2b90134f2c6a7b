package access

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"flashsale/sale"
)

// MinTokenLength is the least number of characters of a token.
const MinTokenLength = 16

// MaxTokens bounds the tokens of a deployment.
const MaxTokens = 1000

// FormOfName is the pattern of a token's name, which the trail shows.
const FormOfName = "[A-Za-z0-9][A-Za-z0-9._@-]{0,63}"

var nameForm = regexp.MustCompile("^" + FormOfName + "$")

// Token is a secret that opens routes for a role, and the name under which the trail has what its bearer does.
type Token struct {
	Name   string
	Role   sale.Role
	Secret string
}

// Parse reads tokens, one a line in the form name:role:token. It skips empty lines. The error names the line and what is
// wrong, and never contains a token.
func Parse(text string) ([]Token, error) {
	var tokens []Token
	for number, line := range strings.Split(text, "\n") {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		token, err := parseLine(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number+1, err)
		}
		tokens = append(tokens, token)
	}
	return tokens, nil
}

func parseLine(line string) (Token, error) {
	parts := strings.SplitN(line, ":", 3)
	if len(parts) < 3 {
		return Token{}, fmt.Errorf("is not of the form name:role:token")
	}
	token := Token{Name: parts[0], Role: sale.Role(parts[1]), Secret: parts[2]}
	switch {
	case !nameForm.MatchString(token.Name):
		return Token{}, fmt.Errorf("the name must match %s", FormOfName)
	case !token.Role.Known():
		return Token{}, fmt.Errorf("the role of %s must be one of viewer, operator, admin and shop", token.Name)
	case utf8.RuneCountInString(token.Secret) < MinTokenLength:
		return Token{}, fmt.Errorf("the token of %s must have %d characters or more", token.Name, MinTokenLength)
	case strings.ContainsAny(token.Secret, " \t"):
		return Token{}, fmt.Errorf("the token of %s must not contain spaces", token.Name)
	}
	return token, nil
}

// Check returns what makes tokens unusable together: a name or a token that occurs twice, the name of the engine, or too many.
func Check(tokens []Token) error {
	if len(tokens) > MaxTokens {
		return fmt.Errorf("there are %d tokens, at most %d are allowed", len(tokens), MaxTokens)
	}
	names, secrets := map[string]bool{}, map[string]string{}
	for _, t := range tokens {
		other, used := secrets[t.Secret]
		switch {
		case t.Name == string(sale.RoleEngine):
			return fmt.Errorf("the name %s is that of the engine's own changes", t.Name)
		case names[t.Name]:
			return fmt.Errorf("the name %s occurs twice", t.Name)
		case used:
			return fmt.Errorf("%s and %s must have different tokens", other, t.Name)
		}
		names[t.Name], secrets[t.Secret] = true, t.Name
	}
	return nil
}

// Tokens finds who sent a token. The zero value knows none.
type Tokens struct{ known []knownToken }

// knownToken is a token stored as its SHA-256 sum. Sums are compared in constant time, so the time of a refusal reveals
// neither a token's length nor a common prefix.
type knownToken struct {
	sum  [sha256.Size]byte
	key  []byte // signs the sessions of the token
	name string
	role sale.Role
}

// NewTokens returns the tokens that have a secret.
func NewTokens(tokens []Token) *Tokens {
	t := &Tokens{}
	for _, token := range tokens {
		if token.Secret == "" {
			continue
		}
		mac := hmac.New(sha256.New, []byte(token.Secret))
		mac.Write([]byte("flashsale session")) // hash.Hash documents that Write never fails
		t.known = append(t.known, knownToken{sha256.Sum256([]byte(token.Secret)), mac.Sum(nil), token.Name, token.Role})
	}
	return t
}

// None reports whether there is no token at all, so that no secret opens anything.
func (t *Tokens) None() bool { return len(t.known) == 0 }

// Of returns whose token a secret is. It compares with every token, so that its time does not depend on the secret.
func (t *Tokens) Of(secret string) (actor sale.Actor, ok bool) {
	known := t.find(secret)
	if known == nil {
		return sale.Actor{}, false
	}
	return sale.Actor{Who: known.name, Role: known.role}, true
}

func (t *Tokens) find(secret string) (found *knownToken) {
	sum := sha256.Sum256([]byte(secret))
	for i := range t.known {
		if subtle.ConstantTimeCompare(sum[:], t.known[i].sum[:]) == 1 {
			found = &t.known[i]
		}
	}
	return found
}

// named returns the token with a name.
func (t *Tokens) named(name string) *knownToken {
	for i := range t.known {
		if t.known[i].name == name {
			return &t.known[i]
		}
	}
	return nil
}
