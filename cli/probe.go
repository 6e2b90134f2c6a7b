package cli

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// Probe asks a process for its state over HTTP. The image has no other program that could.
type Probe struct {
	URL     string        `arg:"" help:"Such as http://127.0.0.1:8081/readyz."`
	Timeout time.Duration `default:"2s" help:"Longest wait for the answer."`
}

// probeBytes bounds what is printed of an answer.
const probeBytes = 4 << 10

// Run fails unless the answer is 200, and then prints what the process waits for.
func (c Probe) Run(inv *invocation) error {
	if at, err := url.Parse(c.URL); err != nil || at.Scheme != "http" && at.Scheme != "https" || at.Host == "" {
		return &exitError{ExitUsage, fmt.Errorf("probe: %q is not a URL with http or https, such as http://127.0.0.1:8081/readyz",
			c.URL)}
	}
	ctx, cancel := context.WithTimeout(inv.ctx, c.Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL, nil)
	if err != nil {
		return &exitError{ExitUsage, fmt.Errorf("probe: %w", err)}
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, probeBytes))
	if err != nil {
		return fmt.Errorf("read the answer of %s: %w", c.URL, err)
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s: %s", c.URL, answer.Status, text)
	}
	return nil
}
