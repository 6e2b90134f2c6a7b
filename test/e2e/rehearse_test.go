package e2e

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"flashsale/test/harness"
)

// rehearsal is the part of the command's JSON that the tests read.
type rehearsal struct {
	Verdict string
	Reasons []struct{ Tone, Text string }
	Rush    struct {
		Presses int64
		Ended   map[string]int64
	}
	Books struct {
		Sold, Loaded int64
		Certificate  string
	}
	Payments struct {
		Payer       string
		Asked, Paid int64
	}
}

// theReal is what must be the same before and after: every key, row and record of the real engine.
func (s *stack) theReal() map[string]string {
	s.t.Helper()
	found := map[string]string{}
	for _, key := range s.keys(s.Name + ":*") {
		if key == s.Name+":pulse" {
			continue // the real processes write there once a second
		}
		value, err := s.Redis[0].Do("DUMP", key)
		require.NoError(s.t, err)
		found["key "+key] = fmt.Sprint(value)
	}
	rows, err := s.DB().QueryContext(s.t.Context(),
		"SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()")
	require.NoError(s.t, err)
	defer rows.Close()
	for rows.Next() {
		var table, sum string
		require.NoError(s.t, rows.Scan(&table))
		if slices.Contains([]string{"leases", "node_leases", "gateways"}, table) {
			continue // the real processes write there that they live
		}
		require.NoError(s.t, s.DB().QueryRowContext(s.t.Context(), "CHECKSUM TABLE "+table).Scan(new(string), &sum))
		found["table "+table] = sum
	}
	require.NoError(s.t, rows.Err())
	for topic, end := range s.ends(s.Name) {
		found["topic "+topic] = end
	}
	return found
}

func (s *stack) keys(pattern string) (names []string) {
	s.t.Helper()
	for _, key := range s.Redis[0].MustDo(s.t, "KEYS", pattern).([]any) {
		names = append(names, key.(string))
	}
	return names
}

// ends returns the end offsets of a namespace's topics, as text, by topic.
func (s *stack) ends(namespace string) map[string]string {
	s.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(s.Kafka.Brokers...))
	require.NoError(s.t, err)
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	admin := kadm.NewClient(client)
	topics, err := admin.ListTopics(ctx)
	require.NoError(s.t, err)
	ends := map[string]string{}
	for _, topic := range topics.Names() {
		if prefix, _, is := strings.Cut(topic, "."); !is || prefix != namespace && !strings.HasPrefix(topic, namespace+".") {
			continue
		}
		if namespace == s.Name && strings.HasPrefix(topic, s.shadow()) {
			continue
		}
		offsets, err := admin.ListEndOffsets(ctx, topic)
		require.NoError(s.t, err)
		var text []string
		offsets.Each(func(o kadm.ListedOffset) { text = append(text, fmt.Sprint(o.Partition, ":", o.Offset)) })
		slices.Sort(text)
		ends[topic] = strings.Join(text, " ")
	}
	return ends
}

func (s *stack) shadow() string { return s.Name + ".rehearsal" }

// noShadow requires that nothing of a rehearsal exists.
func (s *stack) noShadow() {
	s.t.Helper()
	assert.Empty(s.t, s.keys(s.shadow()+"*"))
	assert.Empty(s.t, s.ends(s.shadow()))
	assert.Zero(s.t, s.shadowSchemas())
	client, err := kgo.NewClient(kgo.SeedBrokers(s.Kafka.Brokers...))
	require.NoError(s.t, err)
	defer client.Close()
	groups, err := kadm.NewClient(client).ListGroups(s.t.Context())
	require.NoError(s.t, err)
	assert.NotContains(s.t, groups.Groups(), s.shadow()+".settle")
}

func (s *stack) shadowSchemas() (n int) {
	s.t.Helper()
	require.NoError(s.t, s.DB().QueryRowContext(s.t.Context(),
		"SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = CONCAT(DATABASE(), '_rehearsal')").Scan(&n))
	return n
}

func (s *stack) rehearse(args ...string) (rehearsal, harness.Result) {
	s.t.Helper()
	result := s.Command(append([]string{"rehearse", "spring", "-o", "json", "--max-p99", "5s", "--max-drain", "20s"}, args...)...)
	var found rehearsal
	if result.Stdout != "" {
		require.NoError(s.t, json.Unmarshal([]byte(result.Stdout), &found), "%s", result.Stdout)
	}
	return found, result
}

// aDraft is a deployment with a draft of two SKUs, one of them with a limit of its own.
func aDraft(t *testing.T) *stack {
	s := limitedStack(t, servers{Name: fmt.Sprintf("r%x", time.Now().UnixMilli())}).run(1, 1)
	d := lasting(phone(100), stockItem{SKU: "case", Stock: 500, PriceCents: 900})
	d.Buckets = 2
	s.create("spring", d)
	s.chained()
	return s
}

// chained waits until the real engine has chained its trail, after which only a further change changes its tables.
func (s *stack) chained() {
	s.t.Helper()
	require.Eventually(s.t, func() bool {
		var waiting int
		require.NoError(s.t, s.DB().QueryRowContext(s.t.Context(),
			"SELECT COUNT(*) FROM trail WHERE position IS NULL").Scan(&waiting))
		return waiting == 0
	}, time.Minute, 10*time.Millisecond)
}

// TestRehearsal: 200 buyers press for a draft, by the real path, are judged, and nothing is left; with the built-in payer and
// with a shop that calls back.
func TestRehearsal(t *testing.T) {
	s := aDraft(t)
	before := s.theReal()
	file := filepath.Join(t.TempDir(), "rehearsal.html")
	found, result := s.rehearse("--buyers", "200", "--rate", "70", "--report", file)
	require.Zero(t, result.Code, "%s\n%s", result.Stdout, result.Stderr)
	require.Equal(t, "go", found.Verdict)
	require.GreaterOrEqual(t, found.Rush.Presses, int64(200))
	require.Positive(t, found.Books.Sold)
	require.EqualValues(t, 600, found.Books.Loaded)
	require.Equal(t, "holds", found.Books.Certificate)
	require.Equal(t, "built-in", found.Payments.Payer)
	require.Equal(t, before, s.theReal())
	s.noShadow()
	isPage(t, file, "Rehearsal of sale spring", "Payments", "Cores used")

	shop := newShop(t)
	found, result = s.rehearse("--buyers", "200", "--rate", "70", "--pay", "1", "--pay-url", shop.URL)
	require.Zero(t, result.Code, "%s\n%s", result.Stdout, result.Stderr)
	require.Equal(t, shop.URL, found.Payments.Payer)
	shop.mu.Lock()
	defer shop.mu.Unlock()
	require.EqualValues(t, found.Books.Sold, shop.paid, "each order was told to the shop once, and its call-back accepted")
	require.Equal(t, before, s.theReal())
	s.noShadow()
}

// isPage requires that a file is well-formed and says some things.
func isPage(t *testing.T, file string, said ...string) {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	for _, want := range said {
		require.Contains(t, string(text), want)
	}
	decoder := xml.NewDecoder(strings.NewReader(string(text)))
	for {
		if _, err = decoder.Token(); err != nil {
			break
		}
	}
	require.ErrorIs(t, err, io.EOF)
}

// payingShop is a shop that pays each order by a call-back, and repeats it while it is asked to.
type payingShop struct {
	*httptest.Server
	t     *testing.T
	calls sync.WaitGroup
	mu    sync.Mutex
	paid  int
	first string // URL of the first call-back
	token string
}

func newShop(t *testing.T) *payingShop {
	s := &payingShop{t: t}
	s.Server = httptest.NewServer(http.HandlerFunc(s.told))
	t.Cleanup(func() { s.calls.Wait(); s.Close() })
	return s
}

func (s *payingShop) told(w http.ResponseWriter, r *http.Request) {
	var told struct {
		Rehearsal bool
		Order     struct {
			OrderID    string `json:"order_id"`
			TotalCents int64  `json:"total_cents"`
		}
		CallbackURL string `json:"callback_url"`
		Token       string
	}
	err := json.NewDecoder(r.Body).Decode(&told)
	if err != nil || !told.Rehearsal || told.Order.TotalCents == 0 {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusAccepted)
	s.mu.Lock()
	if s.first == "" {
		s.first, s.token = told.CallbackURL, told.Token
	}
	s.mu.Unlock()
	s.calls.Go(func() { s.callBack(told.CallbackURL, told.Token, `{"payment_id":"shop-`+told.Order.OrderID+`"}`) })
}

func (s *payingShop) callBack(url, token, body string) {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for range 200 {
		status, err := put(url, token, body)
		if err == nil && status == http.StatusOK {
			s.mu.Lock()
			s.paid++
			s.mu.Unlock()
			return
		}
		<-ticker.C
	}
}

func put(url, token, body string) (int, error) {
	request, err := http.NewRequest(http.MethodPut, url, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	return answer.StatusCode, errors.Join(answer.Body.Close())
}

// TestRehearsalThatIsKilled: what a killed rehearsal leaves is removed by the next one, which succeeds; the killed one's
// processes end by themselves; and one that runs excludes another.
func TestRehearsalThatIsKilled(t *testing.T) {
	s := aDraft(t)
	before := s.theReal()
	env := append(slices.Clone(s.Env), "FLASHSALE_ADMIN_URL=http://"+s.Gateways[0].Operators)
	first := harness.Start(t, s.Bin, env, "rehearse", "spring", "--buyers", "2000", "--rate", "50")
	require.Eventually(t, func() bool { return strings.Contains(first.Stderr(), "buyers press") }, time.Minute,
		10*time.Millisecond, "%s", first.Stderr())
	_, second := s.rehearse("--buyers", "10")
	require.Equal(t, 1, second.Code)
	require.Contains(t, second.Stderr, "another rehearsal is running")
	children := childrenOf(t, first.PID())
	require.Len(t, children, 2)
	first.Kill()
	require.NotEmpty(t, s.keys(s.shadow()+"*"), "it had no time to remove anything")
	require.Equal(t, 1, s.shadowSchemas())
	found, result := s.rehearse("--buyers", "200", "--rate", "70")
	require.Zero(t, result.Code, "%s\n%s", result.Stdout, result.Stderr)
	require.Equal(t, "go", found.Verdict)
	for _, pid := range children {
		require.Eventually(t, func() bool { return !alive(pid) }, 30*time.Second, 10*time.Millisecond, "process %s", pid)
	}
	require.Equal(t, before, s.theReal())
	s.noShadow()
}

// childrenOf returns the process ids of a process's children.
func childrenOf(t *testing.T, pid int) (found []string) {
	t.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	require.NoError(t, err)
	for _, name := range tasks {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		found = append(found, strings.Fields(string(text))...)
	}
	return found
}

// alive reports whether a process exists and is not only waiting for its parent.
func alive(pid string) bool {
	text, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(text), ") ")
	return !strings.HasPrefix(state, "Z")
}

// TestRehearsalsThatAreRefused: each refusal comes before anything is made, with its reason.
func TestRehearsalsThatAreRefused(t *testing.T) {
	s := aDraft(t)
	for _, c := range []struct {
		code int
		said string
		args []string
	}{
		{1, "mysql.dsn has no sale nowhere; flashsale sale list names", []string{"nowhere", "--buyers", "10"}},
		{80, "--rate must be above 0", []string{"spring", "--buyers", "10", "--rate", "0"}},
		{80, "--pay-url \"ftp://x/\" must be an http", []string{"spring", "--buyers", "10", "--pay-url", "ftp://x/"}},
		{80, "--buyers must be 1 to", []string{"spring", "--buyers", "0"}},
		{1, "has connections for at most", []string{"spring", "--buyers", "9000000"}},
		{80, "--report: open /nowhere/x.html", []string{"spring", "--buyers", "10", "--report", "/nowhere/x.html"}},
	} {
		result := s.Command(append([]string{"rehearse"}, c.args...)...)
		assert.Equal(t, c.code, result.Code, "%q: %s", c.args, result.Stderr)
		assert.Contains(t, result.Stderr, c.said)
		assert.Empty(t, result.Stdout)
	}
	s.move("spring", "preload")
	s.move("spring", "open")
	_, result := s.rehearse("--buyers", "10")
	assert.Equal(t, 1, result.Code)
	assert.Contains(t, result.Stderr, "sale spring is open")
	s.noShadow()
}

// TestRehearsalWithItsRights: a missing right in Redis or Kafka is refused before anything is made, with the line that grants
// it; with what the operators' page asks for, and no more, the rehearsal runs.
func TestRehearsalWithItsRights(t *testing.T) {
	s, _ := secured(t)
	s.as("fs-settle").Launch(0, 1)
	s.as("fs-gateway").Launch(1, 0)
	s.Settles[0].Ready()
	s.Gateways[0].Ready()
	s.as("fs-migrate")
	s.create("spring", lasting(phone(50)))
	refused := func(said string) {
		t.Helper()
		_, result := s.rehearse("--buyers", "10")
		require.Equal(t, 1, result.Code)
		require.Contains(t, result.Stderr, said)
		require.Empty(t, s.keys(s.shadow()+"*"))
		require.Zero(t, s.shadowSchemas())
	}
	refused("ACL SETUSER flashsale ~" + s.shadow() + ":*")
	s.Redis[0].MustDo(t, "ACL", "SETUSER", "flashsale", "~"+s.shadow()+":*")
	refused("kafka denies Delete, Delete of the group for " + s.shadow() + ".* to fs-migrate")
	for _, resource := range []string{"--topic", "--group"} {
		grant(t, s.Kafka, []string{"fs-migrate", "--operation", "All", resource, s.shadow() + ".", "--resource-pattern-type",
			"prefixed"})
	}
	found, result := s.rehearse("--buyers", "100", "--rate", "50")
	require.Zero(t, result.Code, "%s\n%s", result.Stdout, result.Stderr)
	require.Equal(t, "go", found.Verdict)
	require.EqualValues(t, 50, found.Books.Sold)
	require.Empty(t, s.keys(s.shadow()+"*"))
	require.Zero(t, s.shadowSchemas())
}
