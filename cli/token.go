package cli

import (
	"fmt"
	"time"

	"flashsale/loadtest"
	"flashsale/settings"
)

// Token signs test tokens.
type Token struct {
	Buyer  string `help:"Buyer id to sign one token for." xor:"who" required:""`
	Count  int    `help:"Number of tokens to sign, for buyers PREFIX1 to PREFIXcount." xor:"who" required:""`
	Prefix string `help:"What the buyer ids of --count start with." default:"load-"`
	tokenLife
}

// Run prints one token a line.
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

// tokenLife is how long signed tokens are good.
type tokenLife struct {
	TTL *time.Duration `name:"ttl" help:"How long signed tokens are valid, at most auth.max_lifetime. Default: 1h, or auth.max_lifetime where that is less."`
}

// life refuses what the gateway would refuse: a token that lives longer buys nothing.
func (l tokenLife) life(s *settings.Settings) (time.Duration, error) {
	longest := s.Auth.MaxLifetime
	switch {
	case l.TTL == nil:
		return min(time.Hour, longest), nil
	case *l.TTL > longest:
		return 0, &exitError{ExitUsage, fmt.Errorf(
			"--ttl %s: a gateway refuses tokens that live longer than auth.max_lifetime, which is %s here", *l.TTL, longest)}
	}
	return *l.TTL, nil
}

func newSigner(s *settings.Settings) (*loadtest.Signer, error) {
	return loadtest.NewSigner([]byte(s.Auth.HS256Secret.Reveal()), s.Auth.Issuer, s.Auth.Audience)
}
