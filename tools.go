package main

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"runtime/debug"
	"text/tabwriter"
	"time"

	"flashsale/loadtest"
	"flashsale/settings"
)

// version is set by the build: -ldflags "-X main.version=…".
var version = "dev"

// build tells what this binary is.
type build struct{ version, commit, golang string }

// String is the line that the version command prints.
func (b build) String() string {
	return fmt.Sprintf("flashsale %s, commit %s, %s", b.version, b.commit, b.golang)
}

func thisBuild() build {
	b := build{version: version, commit: "unknown", golang: runtime.Version()}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, setting := range info.Settings {
			if setting.Key == "vcs.revision" {
				b.commit = setting.Value
			}
		}
	}
	if commit != "" {
		b.commit = commit
	}
	return b
}

// commit is set by the build like version, for builds outside a checkout.
var commit string

type versionCommand struct{}

// Run prints one line.
func (versionCommand) Run(inv *invocation) error {
	_, err := fmt.Fprintln(inv.stdout, thisBuild())
	return err
}

type configCommand struct{}

// Run prints a row per setting: name, value, where it came from.
func (configCommand) Run(inv *invocation) error {
	s, err := inv.settings("config")
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(inv.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SETTING\tVALUE\tORIGIN")
	for _, v := range s.Values() {
		fmt.Fprintf(table, "%s\t%s\t%s\n", v.Setting.Name, v.Text, v.Origin)
	}
	return table.Flush()
}

type tokenCommand struct {
	Buyer  string `help:"Buyer id to sign one token for." xor:"who" required:""`
	Count  int    `help:"Number of tokens to sign, for buyers PREFIX1 to PREFIXcount." xor:"who" required:""`
	Prefix string `help:"What the buyer ids of --count start with." default:"load-"`
	tokenLife
}

// Run prints one token a line.
func (c tokenCommand) Run(inv *invocation) error {
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
			return &exitError{exitUsage, err}
		}
		return crowd.WriteTokens(inv.stdout)
	}
	token, err := signer.Token(c.Buyer, life, time.Now())
	if err != nil {
		return &exitError{exitUsage, err}
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
		return 0, &exitError{exitUsage, fmt.Errorf("--ttl %s: a gateway refuses tokens that live longer than auth.max_lifetime, which is %s here",
			*l.TTL, longest)}
	}
	return *l.TTL, nil
}

func newSigner(s *settings.Settings) (*loadtest.Signer, error) {
	return loadtest.NewSigner([]byte(s.Auth.HS256Secret.Reveal()), s.Auth.Issuer, s.Auth.Audience)
}

// settings loads the settings for a command and sends their warnings to the log. With faults come the settings as far as
// they could be read.
func (inv *invocation) settings(command string) (*settings.Settings, error) {
	s, err := inv.source.Load(command)
	if err != nil {
		return s, err
	}
	logger := newLogger(inv.stderr, s.Log.Level)
	for _, warning := range s.Warnings() {
		logger.Warn(warning)
	}
	return s, nil
}

// newLogger writes JSON lines; level has been checked by the settings.
func newLogger(w io.Writer, level string) *slog.Logger {
	var least slog.Level
	if err := least.UnmarshalText([]byte(level)); err != nil {
		least = slog.LevelInfo
	}
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: least}))
}

func randomHex(bytes int) string {
	random := make([]byte, bytes)
	_, _ = rand.Read(random) // documented never to fail
	return hex.EncodeToString(random)
}
