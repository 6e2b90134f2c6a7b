package loadtest

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"flashsale/sale"
)

// MaxCrowd bounds the buyers of one crowd: about 3 GiB of tokens.
const MaxCrowd = 10_000_000

// maxTokenBytes bounds one line of a token file.
const maxTokenBytes = 8 << 10

// Member is one buyer of a crowd.
type Member struct {
	Buyer string
	Token string // JWT without "Bearer "
}

// Crowd is a set of distinct buyers, each with a token.
type Crowd []Member

// NewCrowd signs tokens for the buyers prefix1 … prefixN; all of them expire ttl after now.
func NewCrowd(signer *Signer, prefix string, count int, ttl time.Duration, now time.Time) (Crowd, error) {
	if count < 1 || count > MaxCrowd {
		return nil, fmt.Errorf("a crowd has 1 to %d buyers, not %d", MaxCrowd, count)
	}
	crowd := make(Crowd, count)
	for i := range crowd {
		buyer := prefix + strconv.Itoa(i+1)
		token, err := signer.Token(buyer, ttl, now)
		if err != nil {
			return nil, err
		}
		crowd[i] = Member{Buyer: buyer, Token: token}
	}
	return crowd, nil
}

// WriteTokens writes the crowd's tokens, one per line, as ReadCrowd, rush.js and retry.js read them.
func (c Crowd) WriteTokens(w io.Writer) error {
	out := bufio.NewWriter(w)
	for i := range c {
		if _, err := out.WriteString(c[i].Token); err != nil {
			return fmt.Errorf("write token %d: %w", i+1, err)
		}
		if err := out.WriteByte('\n'); err != nil {
			return fmt.Errorf("write token %d: %w", i+1, err)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write tokens: %w", err)
	}
	return nil
}

// ReadCrowd reads tokens, one per line, and ignores empty lines. It takes each buyer from the token's subject without
// verifying the signature, because the gateway under test verifies it. Two tokens of one buyer are an error, because
// the verdict counts buyers.
func ReadCrowd(r io.Reader) (Crowd, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 4<<10), maxTokenBytes)
	var crowd Crowd
	seen := map[string]int{}
	for n := 1; lines.Scan(); n++ {
		token := strings.TrimSpace(lines.Text())
		if token == "" {
			continue
		}
		buyer, err := subject(token)
		if err != nil {
			return nil, fmt.Errorf("token in line %d: %w", n, err)
		}
		if first, doubled := seen[buyer]; doubled {
			return nil, fmt.Errorf("token in line %d: buyer %q is already in line %d", n, buyer, first)
		}
		if len(crowd) == MaxCrowd {
			return nil, fmt.Errorf("token in line %d: a crowd has at most %d buyers", n, MaxCrowd)
		}
		seen[buyer] = n
		crowd = append(crowd, Member{Buyer: buyer, Token: token})
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read tokens: %w", err)
	}
	if len(crowd) == 0 {
		return nil, fmt.Errorf("read tokens: the file has none")
	}
	return crowd, nil
}

// subject returns the sub claim of a token.
func subject(token string) (string, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "", fmt.Errorf("a JWT has three parts, this one has %d", len(parts))
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", fmt.Errorf("payload is not base64url: %w", err)
	}
	var claims struct {
		Subject string `json:"sub"`
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		return "", fmt.Errorf("payload is not JSON: %w", err)
	}
	if !sale.ValidBuyerID(claims.Subject) {
		return "", fmt.Errorf("sub %.70q is not a buyer id", claims.Subject)
	}
	return claims.Subject, nil
}
