//go:build !nodev

package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/settings"
	"flashsale/test/locked"
)

// devRun is one run of "flashsale dev" inside the test.
type devRun struct {
	t      *testing.T
	cancel context.CancelFunc
	done   chan int
	stdout *watchedBuffer
	stderr *locked.Buffer
}

var anyPort = []string{"--gateway-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--settle-listen", "127.0.0.1:0"}

// startDev runs dev until want has appeared on stdout.
func startDev(t *testing.T, want string, args ...string) *devRun {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	d := &devRun{t: t, cancel: cancel, done: make(chan int, 1),
		stdout: &watchedBuffer{want: want, seen: make(chan struct{})}, stderr: &locked.Buffer{}}
	go func() {
		d.done <- run(ctx, append(append([]string{"dev"}, anyPort...), args...), nil, "", d.stdout, d.stderr)
	}()
	select {
	case <-d.stdout.seen:
	case code := <-d.done:
		t.Fatalf("dev ended with %d: %s", code, d.stderr)
	case <-time.After(30 * time.Second):
		cancel()
		t.Fatalf("dev did not print %q: %s%s", want, d.stdout, d.stderr)
	}
	return d
}

func (d *devRun) stop() {
	d.t.Helper()
	d.cancel()
	require.Equal(d.t, ExitDone, <-d.done, d.stderr.String())
}

// find returns what a pattern captures in the banner.
func (d *devRun) find(pattern string) string {
	d.t.Helper()
	found := regexp.MustCompile(pattern).FindStringSubmatch(d.stdout.String())
	require.Len(d.t, found, 2, d.stdout.String())
	return found[1]
}

// call does what the banner's curl command does, and returns the order or the problem.
func (d *devRun) call(method string) (int, map[string]any) {
	d.t.Helper()
	return d.callAs(method, d.find(`'Authorization: ([^']+)'`))
}

func (d *devRun) callAs(method, authorization string) (int, map[string]any) {
	d.t.Helper()
	request, err := http.NewRequestWithContext(d.t.Context(), method, d.find(`-X POST (\S+)`), nil)
	require.NoError(d.t, err)
	request.Header.Set("Authorization", authorization)
	response, err := http.DefaultClient.Do(request)
	require.NoError(d.t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(d.t, err)
	var answer map[string]any
	require.NoError(d.t, json.Unmarshal(body, &answer), string(body))
	return response.StatusCode, answer
}

func (d *devRun) audit() output {
	d.t.Helper()
	return command(d.t, []string{"FLASHSALE_ADMIN_TOKEN=" + d.find(`operators' token +(\S+)`),
		"FLASHSALE_ADMIN_URL=" + d.find(`operators +(\S+)\n`)}, "", "audit", "--wait", "10s")
}

func TestDevSellsAndKeepsItsOrders(t *testing.T) {
	dir := t.TempDir()
	first := startDev(t, "curl -i", "--data-dir", dir, "--auth-max-lifetime", "10m")
	require.Contains(t, first.stdout.String(), "for trying and developing only")
	status, order := first.call(http.MethodPost)
	require.Equal(t, http.StatusAccepted, status, order)
	require.Equal(t, "queued", order["status"])
	status, problem := first.call(http.MethodPost)
	require.Equal(t, http.StatusConflict, status)
	require.Equal(t, "already_bought", problem["code"])
	audit := first.audit()
	require.Equal(t, ExitDone, audit.code, audit.stderr)
	require.Contains(t, audit.stdout, "9999")
	first.stop()

	second := startDev(t, "curl -i", "--data-dir", dir)
	status, list := second.call(http.MethodGet)
	require.Equal(t, http.StatusOK, status)
	orders := list["orders"].([]any)
	require.Len(t, orders, 1)
	require.Equal(t, order["order_id"], orders[0].(map[string]any)["order_id"])
	require.Equal(t, "confirmed", orders[0].(map[string]any)["status"])
	audit = second.audit() // answers after the stock is rebuilt
	require.Equal(t, ExitDone, audit.code, audit.stderr)
	require.Eventually(t, func() bool { // the gateway reads the new epoch a moment later
		status, problem = second.call(http.MethodPost)
		return status == http.StatusConflict && problem["code"] == "already_bought"
	}, 5*time.Second, 20*time.Millisecond)
	second.stop()
}

// TestDevServesTheShopPage: the page, its files and a buyer whose token buys; each visitor is another buyer.
func TestDevServesTheShopPage(t *testing.T) {
	d := startDev(t, "curl -i")
	shop := d.find(`shop page +(\S+)\n`)
	page := d.read(shop)
	require.Contains(t, page, "/console/shop.js")
	require.Contains(t, d.read(shop+"console/shop.js"), "data-action")
	buyers := map[string]bool{}
	for range 2 {
		var buyer struct{ Sale, Buyer, Token string }
		require.NoError(t, json.Unmarshal([]byte(d.read(shop+"shop/token")), &buyer))
		require.Equal(t, devSale, buyer.Sale)
		status, order := d.callAs(http.MethodPost, "Bearer "+buyer.Token)
		require.Equal(t, http.StatusAccepted, status, order)
		buyers[buyer.Buyer] = true
	}
	require.Len(t, buyers, 2)
	require.Contains(t, d.read(d.find(`operators +(\S+)\n`)+"/"), "/console/main.js")
	d.signsInOnce(d.find(`console +(\S+) `))
	d.stop()
}

// signsInOnce follows the console's link as a browser does: it opens a session the first time only.
func (d *devRun) signsInOnce(link string) {
	d.t.Helper()
	for _, cookies := range []int{1, 0} {
		jar, err := cookiejar.New(nil)
		require.NoError(d.t, err)
		request, err := http.NewRequestWithContext(d.t.Context(), http.MethodGet, link, nil)
		require.NoError(d.t, err)
		response, err := (&http.Client{Jar: jar}).Do(request)
		require.NoError(d.t, err)
		require.NoError(d.t, response.Body.Close())
		require.Equal(d.t, "/", response.Request.URL.RequestURI(), "the token is out of the address")
		require.Len(d.t, jar.Cookies(response.Request.URL), cookies)
	}
}

// read returns the body of a page that answers 200.
func (d *devRun) read(url string) string {
	d.t.Helper()
	request, err := http.NewRequestWithContext(d.t.Context(), http.MethodGet, url, nil)
	require.NoError(d.t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(d.t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(d.t, err)
	require.Equal(d.t, http.StatusOK, response.StatusCode, string(body))
	return string(body)
}

func TestDevDemoPrintsALiveLine(t *testing.T) {
	d := startDev(t, "books hold", "--demo")
	line := d.find(`(asked \d+ .*books hold)`)
	require.Regexp(t,
		`sold \d+ +repeated \d+ +refused .+ stock: \d+ available, \d+ in flight, \d+ settled, \d+ released of 10000`, line)
	require.NotContains(t, line, "unauthenticated",
		"the press by which dev found out that the gateway is ready is none of the crowd's")
	status, order := d.call(http.MethodPost)
	require.Equal(t, http.StatusAccepted, status, "the crowd leaves units for the line of the banner: %v", order)
	d.stop()
}

func TestDevKeepsItsSecrets(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	require.NoError(t, os.Mkdir(dir, 0o755))
	first := startDev(t, "curl -i", "--data-dir", dir)
	require.NotContains(t, first.stdout.String(), "earlier run")
	status, order := first.call(http.MethodPost)
	require.Equal(t, http.StatusAccepted, status, order)
	operators, buyer := first.find(`operators' token +(\S+)`), first.find(`'Authorization: ([^']+)'`)
	first.stop()
	secrets := filepath.Join(dir, secretsName)
	for path, mode := range map[string]os.FileMode{dir: 0o700, secrets: 0o600} {
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, mode, info.Mode().Perm(), path)
	}
	token := command(t, nil, "", "token", "--buyer", "bob", "--config", secrets)
	require.Equal(t, ExitDone, token.code, token.stderr)

	require.NoError(t, os.Chmod(secrets, 0o644))
	second := startDev(t, "curl -i", "--data-dir", dir)
	require.Contains(t, second.stdout.String(), "kept       of an earlier run: sales demo with 1 orders; its secrets")
	require.Equal(t, operators, second.find(`operators' token +(\S+)`))
	for _, bearer := range []string{buyer, "Bearer " + strings.TrimSpace(token.stdout)} {
		status, answer := second.callAs(http.MethodGet, bearer)
		require.Equal(t, http.StatusOK, status, answer)
	}
	info, err := os.Stat(secrets)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	second.stop()

	require.NoError(t, os.WriteFile(secrets, []byte("admin: {token: short}\n"), 0o600))
	got := command(t, nil, "", append(append([]string{"dev"}, anyPort...), "--data-dir", dir)...)
	require.Equal(t, ExitUsage, got.code, got.stderr)
	require.Contains(t, got.stderr, secrets)
}

// An empty directory is an unset shell variable, not the current directory.
func TestDevRefusesAnEmptyDataDir(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, words := range [][]string{{"--data-dir="}, {"--data-dir", ""}} {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second) // a dev that accepts it would keep running
		var stdout, stderr bytes.Buffer
		code := run(ctx, append(append([]string{"dev"}, anyPort...), words...), nil, "", &stdout, &stderr)
		cancel()
		require.Equal(t, ExitUsage, code, stderr.String())
		require.Contains(t, stderr.String(), "--data-dir is empty")
	}
	entries, err := os.ReadDir(".")
	require.NoError(t, err)
	require.Empty(t, entries)
}

// A given secret is used and not written to the file.
func TestDevDoesNotWriteGivenSecretsDown(t *testing.T) {
	dir := t.TempDir()
	source, _, err := settings.FromCommandLine(nil, []string{testSecret, testToken})
	require.NoError(t, err)
	s, err := source.Load("dev")
	require.NoError(t, err)
	kept, err := keepSecrets(dir, s)
	require.NoError(t, err)
	require.False(t, kept)
	require.Equal(t, "operators-token-of-a-test", s.Admin.Token.Reveal())
	require.NoFileExists(t, filepath.Join(dir, secretsName))
}

// The banner says beside the command to paste when an earlier run left the sale sold out or paused.
func TestDevSaysThatItsSaleDoesNotSell(t *testing.T) {
	dir := t.TempDir()
	first := startDev(t, "curl -i", "--data-dir", dir)
	moved := command(t, []string{"FLASHSALE_ADMIN_URL=" + first.find(`operators +(\S+)\n`)}, "", "sale", "pause", "demo",
		"--config", filepath.Join(dir, secretsName))
	require.Equal(t, ExitDone, moved.code, moved.stderr)
	first.stop()
	second := startDev(t, "curl -i", "--data-dir", dir)
	require.Contains(t, second.stdout.String(),
		"buy one (refused now: sale demo is paused; flashsale sale resume demo resumes it):")
	moved = command(t, []string{"FLASHSALE_ADMIN_URL=" + second.find(`operators +(\S+)\n`)}, "", "sale", "close", "demo",
		"--config", filepath.Join(dir, secretsName))
	require.Equal(t, ExitDone, moved.code, moved.stderr)
	second.stop()
	third := startDev(t, "curl -i", "--data-dir", dir)
	require.Contains(t, third.stdout.String(), "buy one (refused now: sale demo is closed; a new --data-dir starts a new one):")
	var archived output
	require.Eventually(t, func() bool { // the buckets of the closed sale are rebuilt first
		archived = command(t, []string{"FLASHSALE_ADMIN_URL=" + third.find(`operators +(\S+)\n`)}, "", "sale", "archive", "demo",
			"-o", "json", "--config", filepath.Join(dir, secretsName))
		return !strings.Contains(archived.stderr, "not_at_rest")
	}, 10*time.Second, 50*time.Millisecond)
	require.Equal(t, ExitDone, archived.code, archived.stderr)
	require.Contains(t, archived.stdout, `"state":"archived"`)
	third.stop()
	fourth := startDev(t, "curl -i", "--data-dir", dir)
	require.Contains(t, fourth.stdout.String(), "sale demo is archived; a new --data-dir starts a new one):")
	fourth.stop()
}

func TestDevNamesTakenPorts(t *testing.T) {
	d := startDev(t, "curl -i")
	taken := strings.TrimPrefix(d.find(`operators +(\S+)\n`), "http://")
	got := command(t, nil, "", append(append([]string{"dev"}, anyPort...), "--gateway-listen", taken)...)
	require.Equal(t, ExitUsage, got.code, got.stderr)
	require.Contains(t, got.stderr, "gateway.listen")
	require.Contains(t, got.stderr, taken)
	d.stop()
}

func TestDevTellsItsEnding(t *testing.T) {
	d := startDev(t, "curl -i")
	status, _ := d.call(http.MethodPost)
	require.Equal(t, http.StatusAccepted, status)
	d.stop()
	begins, ends := logLines(t, d.stderr.String(), "ending: draining"), logLines(t, d.stderr.String(), "ended: drained")
	require.Len(t, begins, 1)
	require.Len(t, ends, 1)
	for _, counted := range []string{"requests", "orders", "rows", "after"} {
		require.Contains(t, ends[0], counted)
	}
}

// logLines returns the lines of a log whose message begins with a text.
func logLines(t *testing.T, log, message string) (found []map[string]any) {
	t.Helper()
	for _, text := range strings.Split(strings.TrimSpace(log), "\n") {
		var line map[string]any
		if json.Unmarshal([]byte(text), &line) != nil {
			continue // a library's warning
		}
		if said, _ := line["msg"].(string); strings.HasPrefix(said, message) {
			found = append(found, line)
		}
	}
	return found
}
