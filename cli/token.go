package cli

import (
	"fmt"
	"time"

	"flashsale/loadtest"
	"flashsale/settings"
)

// Token signs test tokens.
type Token struct {
	Buyer  string `help:"Buyer id of a single token; this or --count." xor:"who" required:""`
	Count  int    `help:"Number of tokens, for buyers PREFIX1 to PREFIXcount." xor:"who" required:""`
	Prefix string `help:"Prefix of the buyer ids of --count." default:"load-"`
	tokenLife
}

// Run prints one token per line.
func (c Token) Run(inv *invocation) error {
	s, err := inv.settings("token")
	if err != nil {
		return err
	}
	signer, err := newSigner(s)
	if err != nil {
		return err
	}
	life, err := c.life(s)
	if err != nil {
		return err
	}
	if c.Buyer == "" {
		crowd, err := loadtest.NewCrowd(signer, c.Prefix, c.Count, life, time.Now())
		if err != nil {
			return &exitError{ExitUsage, err}
		}
		return crowd.WriteTokens(inv.stdout)
	}
	token, err := signer.Token(c.Buyer, life, time.Now())
	if err != nil {
		return &exitError{ExitUsage, err}
	}
	_, err = fmt.Fprintln(inv.stdout, token)
	return err
}

// tokenLife is how long signed tokens are valid.
type tokenLife struct {
	TTL *time.Duration `name:"ttl" help:"Lifetime of the tokens, at most auth.max_lifetime. Default: 1h or that, if less."`
}

// life refuses a lifetime that the gateway would refuse.
func (l tokenLife) life(s *settings.Settings) (time.Duration, error) {
	longest := s.Auth.MaxLifetime
	switch {
	case l.TTL == nil:
		return min(time.Hour, longest), nil
	case *l.TTL > longest:
		return 0, &exitError{ExitUsage, fmt.Errorf(
			"--ttl %s: a gateway refuses tokens that live longer than auth.max_lifetime, which is %s", *l.TTL, longest)}
	}
	return *l.TTL, nil
}

func newSigner(s *settings.Settings) (*loadtest.Signer, error) {
	return loadtest.NewSigner([]byte(s.Auth.HS256Secret.Reveal()), s.Auth.Issuer, s.Auth.Audience)
}
