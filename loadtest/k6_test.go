//go:build k6

package loadtest

import (
	"bytes"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// k6Binary is the k6 that make k6 has built, or the one in FLASHSALE_TEST_K6.
func k6Binary(t *testing.T) string {
	t.Helper()
	path := os.Getenv("FLASHSALE_TEST_K6")
	if path == "" {
		path = filepath.Join("..", "bin", "k6")
	}
	absolute, err := filepath.Abs(path)
	require.NoError(t, err)
	require.FileExists(t, absolute, "build it with: make k6")
	return absolute
}

// runK6 runs a script for a crowd against a shop and returns k6's exit code, its history and its output.
func runK6(t *testing.T, s *shop, script string, buyers int, parameters ...string) (int, []Told, string) {
	t.Helper()
	folder := t.TempDir()
	tokens, told := filepath.Join(folder, "tokens.txt"), filepath.Join(folder, "told.json")
	file, err := os.Create(tokens)
	require.NoError(t, err)
	require.NoError(t, newTestCrowd(t, buyers).WriteTokens(file))
	require.NoError(t, file.Close())
	args := []string{"run", "--no-usage-report", "--no-color", "--quiet", "--address", "", "--out", "json=" + told,
		"-e", "TOKENS=" + tokens, "-e", "SALE=spring", "-e", "URLS=" + s.serve(t) + "," + s.serve(t)}
	for _, parameter := range parameters {
		args = append(args, "-e", parameter)
	}
	command := exec.CommandContext(t.Context(), k6Binary(t), append(args, script)...)
	command.Env = append(os.Environ(), "HOME="+folder)
	output, err := command.CombinedOutput()
	require.NotNil(t, command.ProcessState, "%v", err)
	history, err := os.ReadFile(told)
	if err != nil {
		return command.ProcessState.ExitCode(), nil, string(output)
	}
	return command.ProcessState.ExitCode(), readAll(t, history), string(output)
}

func TestK6RushIsJudgedFromItsOutput(t *testing.T) {
	s := newShop(1, map[string]int64{"phone": 50, "case": 50})
	exit, told, output := runK6(t, s, "rush.js", 300, "RATE=200", "RAMP=1", "SKUS=phone,case")
	require.Zero(t, exit, output)
	require.GreaterOrEqual(t, len(told), 300)
	verdict := verdictOf(t, s, told)
	require.True(t, verdict.Good, "%+v", verdict)
	require.EqualValues(t, 100, verdict.Sold)
	require.EqualValues(t, 100, verdict.Told.Orders)
	require.EqualValues(t, 300, verdict.Told.Buyers)
}

func TestK6RushFailsOnAnswersOutsideTheContract(t *testing.T) {
	s := newShop(1, map[string]int64{"phone": 50})
	s.meddle = func(w http.ResponseWriter, _ *http.Request, n int) bool {
		if n%2 == 0 {
			return false
		}
		w.WriteHeader(http.StatusInternalServerError)
		return true
	}
	exit, _, output := runK6(t, s, "rush.js", 40, "RATE=40", "RAMP=0")
	require.Equal(t, 99, exit, output)
	require.Contains(t, output, "flashsale_contract_kept")
	require.Contains(t, output, "http_req_failed")
}

func TestK6RetryGetsOneOrderPerKey(t *testing.T) {
	s := newShop(1, map[string]int64{"phone": 60})
	s.meddle = func(w http.ResponseWriter, _ *http.Request, n int) bool {
		if n%10 == 3 {
			writeProblem(w, sale.OutcomeUnavailable)
		}
		return n%10 == 3
	}
	s.afterwards = func(w http.ResponseWriter, n int, _ *sale.Order) bool {
		switch n % 10 {
		case 5:
			cut(w)
		case 7:
			<-time.After(300 * time.Millisecond) // longer than the app waits
			return false
		default:
			return false
		}
		return true
	}
	exit, told, output := runK6(t, s, "retry.js", 100, "RATE=50", "TIMEOUT_MS=100")
	require.Zero(t, exit, output)
	codes := map[string]int{}
	for _, one := range told {
		codes[one.Code]++
	}
	for _, code := range []string{"queued", "replayed", "no_answer", "unavailable", "sold_out"} {
		require.Positive(t, codes[code], "%s in %v", code, codes)
	}
	verdict := verdictOf(t, s, told)
	require.True(t, verdict.Good, "%+v", verdict)
	require.EqualValues(t, 60, verdict.Sold)
}

func TestK6ScriptsNeedTokens(t *testing.T) {
	for _, script := range []string{"rush.js", "retry.js"} {
		command := exec.CommandContext(t.Context(), k6Binary(t), "run", "--no-usage-report", "--no-color", script)
		output, err := command.CombinedOutput()
		require.Error(t, err)
		require.True(t, bytes.Contains(output, []byte("TOKENS must name a file of tokens")), "%s", output)
	}
}
