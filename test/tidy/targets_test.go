package tidy

import (
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const maxTargets = 21

var (
	helpLine  = regexp.MustCompile(`(?m)^([a-z0-9-]+):.*## (.+)$`)
	makeWords = regexp.MustCompile("(?m)`make ([a-z0-9-]+)|^\\s*make ([a-z0-9-]+)\\s*(?:#.*|[A-Z0-9]+=.*)?$")
)

func targetsOf(makefile string) map[string]string {
	targets := map[string]string{}
	for _, hit := range helpLine.FindAllStringSubmatch(makefile, -1) {
		targets[hit[1]] = hit[2]
	}
	return targets
}

// TestTargets: few enough to read, each explained, and each that a page names exists.
func TestTargets(t *testing.T) {
	targets := targetsOf(page(t, "Makefile"))
	assert.LessOrEqual(t, len(targets), maxTargets)
	assert.Contains(t, page(t, "docs/contributing.md"), fmt.Sprintf("at most %d targets", maxTargets))
	for _, needed := range []string{"help", "dev", "test", "bench", "build", "lint", "fuzz", "k6"} {
		assert.Contains(t, targets, needed)
	}
	names, err := files(house(t))
	require.NoError(t, err)
	for _, name := range names {
		if !strings.HasSuffix(name, ".md") {
			continue
		}
		for _, hit := range makeWords.FindAllStringSubmatch(page(t, name), -1) {
			assert.Contains(t, targets, hit[1]+hit[2], "%s names make %s", name, hit[1]+hit[2])
		}
	}
}

// TestContinuousIntegration: CI runs the targets that developers run, and nothing weaker.
func TestContinuousIntegration(t *testing.T) {
	script := page(t, ".ci/run")
	assert.Regexp(t, `(?m)^exec make test$`, script)
	assert.Contains(t, script, "export CI=true")
	info, err := fs.Stat(house(t), ".ci/run")
	require.NoError(t, err)
	assert.NotZero(t, info.Mode()&0o100, "it can be run")
	test := page(t, "Makefile")
	for _, step := range []string{"go vet ./...", "gofmt -l", "go test -count=1"} {
		assert.Contains(t, test, step)
	}
}

// TestEveryExclusionHasAReason: of the linter's rules, none is switched off in silence.
func TestEveryExclusionHasAReason(t *testing.T) {
	_, rules, found := strings.Cut(page(t, ".golangci.yml"), "rules:\n")
	require.True(t, found)
	rules, _, _ = strings.Cut(rules, "\nformatters:")
	for _, rule := range strings.Split(rules, "\n      - ")[1:] {
		assert.Contains(t, rule, "# ", "without a reason: %s", rule)
	}
}
