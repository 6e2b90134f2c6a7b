package admin

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

const fullRules = `{"version":1,"flow":[{"resource":"purchase","qps":5000}],
"isolation":[{"resource":"purchase","concurrency":2000}],
"circuit_breaker":[{"resource":"redis","strategy":"slow_ratio","threshold":0.5,"max_rt_ms":50,"window_ms":1000,
"min_requests":20,"retry_ms":2000}],
"buyer":{"per_second":5,"burst":10},"address":null,"grief":{"unpaid":2,"window_s":600}}`

func TestRulesStartEmpty(t *testing.T) {
	b := newBench(t)
	require.JSONEq(t,
		`{"version":1,"flow":[],"isolation":[],"circuit_breaker":[],"buyer":null,"address":null,"grief":{"unpaid":3,`+
			`"window_s":86400}}`,
		string(b.ask("GET", "/admin/v1/rules", "").Body))
}

func TestPutRulesReplacesTheWholeSet(t *testing.T) {
	b := newBench(t)
	put := b.ask("PUT", "/admin/v1/rules", fullRules)
	require.JSONEq(t, strings.Replace(fullRules, `"version":1`, `"version":2`, 1), string(put.Body))
	put.is(200)
	require.Equal(t, put.Body, b.ask("GET", "/admin/v1/rules", "").Body)
	require.JSONEq(t,
		`{"version":3,"flow":[],"isolation":[],"circuit_breaker":[],"buyer":null,"address":{"per_second":0.5,"burst":1},`+
			`"grief":{"unpaid":0,"window_s":86400}}`,
		string(b.ask("PUT", "/admin/v1/rules",
			`{"buyer":null,"address":{"per_second":0.5,"burst":1},"grief":{"unpaid":0}}`).Body))
}

// TestGriefOfNullNamesTheWay: unlike a limit, the rule is not turned off by null.
func TestGriefOfNullNamesTheWay(t *testing.T) {
	problem := newBench(t).ask("PUT", "/admin/v1/rules", `{"grief":null}`).problem(400, "malformed")
	require.Contains(t, problem["detail"], "unpaid: 0")
	require.Equal(t, "grief", problem["field"])
}

// TestLimitLeftOutIsTheDefaultOne: only null turns a limit off.
func TestLimitLeftOutIsTheDefaultOne(t *testing.T) {
	b := newBench(t)
	require.JSONEq(t,
		`{"version":2,"flow":[],"isolation":[],"circuit_breaker":[],"buyer":{"per_second":5,"burst":10},"address":null,`+
			`"grief":{"unpaid":3,"window_s":86400}}`,
		string(b.ask("PUT", "/admin/v1/rules", `{}`).Body))
	require.Nil(t, b.ask("PUT", "/admin/v1/rules", `{"buyer":null}`).is(200)["buyer"])
}

// The engine's brake is beside the operators' rules while it lasts. A set that was read while it lasted can be put again.
func TestRulesShowTheBrake(t *testing.T) {
	b := newBench(t)
	require.NotContains(t, b.ask("GET", "/admin/v1/rules", "").is(200), "brake")
	rows := &sale.Brake{Reason: sale.BrakeRows, PerSecond: 40, PerGateway: 20}
	require.NoError(t, b.store.SetBrake(t.Context(), rows, time.Minute))
	shown := b.ask("GET", "/admin/v1/rules", "")
	brake, _ := shown.is(200)["brake"].(map[string]any)
	require.NotEmpty(t, brake["since"])
	delete(brake, "since")
	require.Equal(t, map[string]any{"reason": "rows", "per_second": 40.0}, brake)
	require.NotContains(t, b.ask("PUT", "/admin/v1/rules", string(shown.Body)).is(200), "brake")
	still, err := b.store.Brake(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 40, still.PerSecond, "operators do not change it")
	require.NoError(t, b.store.SetBrake(t.Context(), nil, 0))
	require.NotContains(t, b.ask("GET", "/admin/v1/rules", "").is(200), "brake")
}

func TestPutRulesOfAnotherVersionConflicts(t *testing.T) {
	b := newBench(t)
	conflict := b.ask("PUT", "/admin/v1/rules", `{"version":2}`).problem(409, "version_conflict")
	require.EqualValues(t, 1, conflict["version"])
	require.Contains(t, conflict["detail"], "the present version is 1")
	b.ask("PUT", "/admin/v1/rules", `{"version":-1}`).problem(409, "version_conflict")
	require.EqualValues(t, 1, b.store.Snapshot().Rules.Version)
	require.EqualValues(t, 2, b.ask("PUT", "/admin/v1/rules", `{"version":1}`).is(200)["version"])
	b.ask("PUT", "/admin/v1/rules", `{"version":1}`).problem(409, "version_conflict")
}

func TestPutRulesNamesTheMemberAtFault(t *testing.T) {
	breaker := func(change, to string) string {
		rule := `{"circuit_breaker":[{"resource":"kafka","strategy":"error_count","threshold":5,"window_ms":1000,` +
			`"min_requests":20,"retry_ms":2000}]}`
		require.Contains(t, rule, change)
		return strings.Replace(rule, change, to, 1)
	}
	faults := []struct{ body, field string }{
		{`{"flow_rules":[]}`, "flow_rules"},
		{`{"version":1.5}`, "version"},
		{`{"grief":null}`, "grief"},
		{`{"grief":{}}`, "grief.unpaid"},
		{`{"grief":{"unpaid":9}}`, "grief.unpaid"},
		{`{"grief":{"unpaid":2,"window_s":0}}`, "grief.window_s"},
		{`{"grief":{"unpaid":2,"window_s":31536001}}`, "grief.window_s"},
		{`{"grief":{"unpaid":2,"window":1}}`, "grief.window"},
		{`{"version":"1"}`, "version"},
		{`{"flow":[],"flow":[]}`, "flow"},
		{`{"flow":{}}`, "flow"},
		{`{"flow":[{"resource":"redis","qps":1}]}`, "flow[0].resource"},
		{`{"flow":[{"resource":"everything","qps":1}]}`, "flow[0].resource"},
		{`{"flow":[{"qps":1}]}`, "flow[0].resource"},
		{`{"flow":[{"resource":"orders","qps":1},{"resource":"sale"}]}`, "flow[1].qps"},
		{`{"flow":[{"resource":"orders","qps":-1}]}`, "flow[0].qps"},
		{`{"flow":[{"resource":"orders","qps":0.5}]}`, "flow[0].qps"},
		{breaker(`"error_count","threshold":5`, `"error_ratio","threshold":0`), "circuit_breaker[0].threshold"},
		{`{"flow":[{"resource":"orders","qps":1e9}]}`, "flow[0].qps"},
		{`{"flow":[{"resource":"orders","qps":1e999}]}`, "flow[0].qps"},
		{`{"flow":[{"resource":"orders","qps":null}]}`, "flow[0].qps"},
		{`{"flow":[{"resource":"orders","qps":1,"burst":2}]}`, "flow[0].burst"},
		{`{"isolation":[{"resource":"mysql","concurrency":1}]}`, "isolation[0].resource"},
		{`{"isolation":[{"resource":"sale"}]}`, "isolation[0].concurrency"},
		{`{"isolation":[{"resource":"sale","concurrency":0}]}`, "isolation[0].concurrency"},
		{`{"isolation":[{"resource":"sale","concurrency":-1}]}`, "isolation[0].concurrency"},
		{`{"isolation":[{"resource":"sale","concurrency":1.5}]}`, "isolation[0].concurrency"},
		{breaker(`"kafka"`, `"purchase"`), "circuit_breaker[0].resource"},
		{breaker(`"resource":"kafka",`, ``), "circuit_breaker[0].resource"},
		{breaker(`"error_count"`, `"slowest"`), "circuit_breaker[0].strategy"},
		{breaker(`"strategy":"error_count",`, ``), "circuit_breaker[0].strategy"},
		{breaker(`"error_count"`, `"error_ratio"`), "circuit_breaker[0].threshold"},
		{breaker(`"threshold":5,`, ``), "circuit_breaker[0].threshold"},
		{breaker(`"error_count","threshold":5`, `"slow_ratio","threshold":0.5`), "circuit_breaker[0].max_rt_ms"},
		{breaker(`"window_ms":1000`, `"window_ms":1`), "circuit_breaker[0].window_ms"},
		{breaker(`"window_ms":1000,`, ``), "circuit_breaker[0].window_ms"},
		{breaker(`"min_requests":20`, `"min_requests":0`), "circuit_breaker[0].min_requests"},
		{breaker(`,"retry_ms":2000`, ``), "circuit_breaker[0].retry_ms"},
		{breaker(`"retry_ms":2000`, `"retry_ms":600001`), "circuit_breaker[0].retry_ms"},
		{`{"buyer":{"per_second":0,"burst":1}}`, "buyer.per_second"},
		{`{"buyer":{"burst":1}}`, "buyer.per_second"},
		{`{"buyer":{"per_second":1}}`, "buyer.burst"},
		{`{"buyer":7}`, "buyer"},
		{`{"address":{"per_second":1,"burst":0}}`, "address.burst"},
		{`{"address":{"per_second":1,"burst":1,"of":"x"}}`, "address.of"},
	}
	b := newBench(t)
	before := b.ask("GET", "/admin/v1/rules", "").Body
	for _, fault := range faults {
		t.Run(fault.field+" "+fault.body, func(t *testing.T) {
			r := b.ask("PUT", "/admin/v1/rules", fault.body)
			r.t = t
			r.field(fault.field)
		})
	}
	for _, body := range []string{"", "null", "[]", `{"flow":[`, fullRules + "7"} {
		b.ask("PUT", "/admin/v1/rules", body).problem(400, "malformed")
	}
	many := `{"flow":[` + strings.Repeat(`{"resource":"sale","qps":1},`, 100) + `{"resource":"sale","qps":1}]}`
	b.ask("PUT", "/admin/v1/rules", many).field("flow")
	require.Equal(t, before, b.ask("GET", "/admin/v1/rules", "").Body, "a refused set changes nothing")
}

// FuzzDecodeRules: rules that are accepted are valid, and their JSON decodes to the same rules.
func FuzzDecodeRules(f *testing.F) {
	for _, seed := range []string{fullRules, "{}", "null", `{"flow":[{}]}`, `{"buyer":{"per_second":1e-300,"burst":1}}`,
		`{"a":1,"a":2}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		rules, expect, err := decodeRules(body)
		if err != nil {
			requireRefusal(t, err)
			return
		}
		require.NoError(t, rules.Validate())
		if expect != nil {
			rules.Version = *expect
		}
		encoded, err := json.Marshal(rules)
		require.NoError(t, err)
		again, version, err := decodeRules(encoded)
		require.NoError(t, err, "%s", encoded)
		require.NotNil(t, version)
		again.Version = *version
		require.Equal(t, rules, again)
	})
}

// FuzzDecodeSale is the same for definitions of sales.
func FuzzDecodeSale(f *testing.F) {
	f.Add([]byte(phoneSale))
	f.Add([]byte(item(`"sku":"a","stock":1,"price_cents":1},{"sku":"a"`)))
	f.Fuzz(func(t *testing.T, body []byte) {
		s, err := decodeSale("s", body)
		if err != nil {
			requireRefusal(t, err)
			return
		}
		require.NoError(t, s.Validate())
		require.Equal(t, sale.StateDraft, s.State)
		require.NotEmpty(t, s.Items)
	})
}

// requireRefusal checks that a refused body is the client's fault and that the answer can name the fault.
func requireRefusal(t *testing.T, err error) {
	t.Helper()
	problem, fault := problemOf(err)
	require.False(t, fault, "%v", err)
	require.Equal(t, 400, problem.Status)
	require.True(t, json.Valid(problem.Append(nil)))
}

func TestFuzzCorpusIsThere(t *testing.T) {
	for _, target := range []string{"FuzzDecodeRules", "FuzzDecodeSale"} {
		entries, err := os.ReadDir(filepath.Join("testdata", "fuzz", target))
		require.NoError(t, err)
		require.NotEmpty(t, entries, target)
	}
}
