package chaos

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/test/check"
	"flashsale/test/stack"
)

// fakeOffice answers changes of the stock of one sale, every fourth time with a failure. At most half of the stock can be taken
// back.
type fakeOffice struct {
	mu       sync.Mutex
	asked    int
	stock    map[string]int64
	changes  map[string]restocked
	numbers  map[string]int64
	archived []string
	twice    bool // a repeat counts again
	careless bool // a key may have two numbers
}

func (f *fakeOffice) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var body struct {
		Add   int64
		Items []item
	}
	err := json.NewDecoder(r.Body).Decode(&body)
	if err != nil && r.Method != http.MethodDelete || r.Header.Get("Authorization") != "Bearer "+stack.AdminToken {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	status, answer := http.StatusOK, any(map[string]any{"items": body.Items})
	switch r.Method {
	case http.MethodDelete:
		f.archived = append(f.archived, r.URL.Path)
	case http.MethodPut:
		for i := range body.Items {
			now := &body.Items[i]
			f.stock[now.SKU] = max(now.Stock, f.stock[now.SKU]/2)
			now.Stock = f.stock[now.SKU]
		}
	default:
		status, answer = f.change(r.Header.Get("Idempotency-Key"), strings.Split(r.URL.Path, "/")[6], body.Add)
	}
	if f.asked++; f.asked%4 == 0 {
		status = http.StatusServiceUnavailable
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer) // the client reads it
}

func (f *fakeOffice) change(key, sku string, add int64) (int, any) {
	done, known := f.changes[key]
	if known && !f.twice {
		if f.numbers[key] != add && !f.careless {
			return http.StatusUnprocessableEntity, nil
		}
		return http.StatusOK, done
	}
	done = restocked{SKU: sku, Added: max(add, -f.stock[sku]/2)}
	f.stock[sku] += done.Added
	done.Loaded = f.stock[sku]
	f.changes[key], f.numbers[key] = done, add
	return http.StatusOK, done
}

// officeOf returns a clerk and the sale that it changes.
func officeOf(t *testing.T, f *fakeOffice) (*clerk, *saleUnderTest) {
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	address := server.Listener.Addr().String()
	w := &world{t: t, Stack: &stack.Stack{Gateways: []*stack.Process{{Operators: address}, {Operators: address}}}}
	w.sales = salesOf(1, time.Now(), time.Hour)[:1]
	f.stock, f.changes, f.numbers = map[string]int64{}, map[string]restocked{}, map[string]int64{}
	for _, i := range w.sales[0].items {
		f.stock[i.SKU] = i.Stock
	}
	return newClerk(w, 7), w.sales[0]
}

// TestTheClerkKnowsWhatIsLoaded: answers that are lost, changes by keys and definitions, and an item that comes later.
func TestTheClerkKnowsWhatIsLoaded(t *testing.T) {
	f := &fakeOffice{}
	c, s := officeOf(t, f)
	require.NotContains(t, s.forCheck().Loaded, "late")
	before := s.forCheck().Loaded
	c.addItems(s)
	for range 20 {
		c.change(s, c.random.IntN(len(s.items)), 1+c.random.Int64N(20))
		c.change(s, c.random.IntN(len(s.items)), -1-c.random.Int64N(20))
		c.define(s, c.random.IntN(len(s.items)), 5)
		c.define(s, 0, -min(9, s.items[0].Stock))
	}
	require.Empty(t, c.faults)
	require.Equal(t, f.stock, s.forCheck().Loaded)
	sum := map[string]int64{}
	for _, change := range s.changes {
		sum[change.SKU] += change.Units
		require.LessOrEqual(t, change.FromUS, change.ToUS)
		require.NotZero(t, change.Units)
	}
	for sku, units := range s.forCheck().Loaded {
		require.Equal(t, units, before[sku]+sum[sku], sku)
	}
}

// TestTheClerkFindsBrokenPromises: a change that counts twice, and a key of two numbers.
func TestTheClerkFindsBrokenPromises(t *testing.T) {
	for _, f := range []*fakeOffice{{twice: true}, {careless: true}} {
		c, s := officeOf(t, f)
		for range 3 {
			c.change(s, 0, 10)
		}
		require.NotEmpty(t, c.faults)
		require.Equal(t, "stock changes", c.faults[0].Check)
	}
	c, s := officeOf(t, &fakeOffice{})
	_, answered := c.changed(s.id, "one", "", 3)
	require.True(t, answered)
	_, known := stockIn([]byte(`{"items":[{"sku":"a","stock":3}]}`), "b")
	require.False(t, known)
	_, known = stockIn([]byte(`<html>`), "a")
	require.False(t, known)
}

// TestTheClerkCompletesWhatItHasBegun also when its time is over.
func TestTheClerkCompletesWhatItHasBegun(t *testing.T) {
	f := &fakeOffice{}
	c, s := officeOf(t, f)
	c.w.ended = []string{"before"}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	c.run(over)
	require.Equal(t, f.stock, s.forCheck().Loaded)
	require.EqualValues(t, 60, s.forCheck().Loaded["late"])
	require.Equal(t, []string{"/admin/v1/sales/before"}, f.archived)
	require.Empty(t, c.w.ended)
}

func TestSalesForTheJudge(t *testing.T) {
	sales := salesOf(2, time.UnixMilli(1_000_000), time.Minute)
	assert.Equal(t, []int{1, 3}, []int{sales[0].buckets, sales[1].buckets})
	kept := sales[0].forCheck()
	assert.Equal(t, []int{2, 1, 3, 5}, []int{kept.LimitOf("one"), kept.LimitOf("two"), kept.LimitOf("four"), kept.SaleLimit})
	assert.True(t, kept.Demand["four"])
	assert.Equal(t, check.Sale{StartsMS: 1_000_000, EndsMS: 1_024_000, Limit: 1, Limits: map[string]int{},
		Loaded: map[string]int64{"one": 100, "three": 90}, Demand: map[string]bool{"one": false, "three": false}},
		sales[1].forCheck())
	body := sales[0].definition(map[string]any{"eligibility": "list"})
	assert.Len(t, body["items"], 3, "one comes later")
	assert.Equal(t, "list", body["eligibility"])
}
