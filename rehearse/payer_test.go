package rehearse

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/loadtest"
	"flashsale/sale"
)

// operators is an operators' listener that answers payments.
type operators struct {
	*httptest.Server
	mu      sync.Mutex
	calls   map[string]int
	answers func(order string, call int) (int, string)
	bodies  []string
}

func newOperators(t *testing.T, answers func(order string, call int) (int, string)) *operators {
	o := &operators{calls: map[string]int{}, answers: answers}
	routes := http.NewServeMux()
	routes.HandleFunc("PUT /admin/v1/orders/{order}/payment", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer shop-token" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the client is gone
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		order := r.PathValue("order")
		o.calls[order]++
		o.bodies = append(o.bodies, string(body))
		status, text := o.answers(order, o.calls[order])
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text) // a client that is gone fails its own test
	})
	o.Server = httptest.NewServer(routes)
	t.Cleanup(o.Close)
	return o
}

const onItsWay = `{"code":"not_confirmed","remembered":true}`

func order(n int) *told { return &told{OrderID: fmt.Sprint(1000 + n), Sale: "spring"} }

// unpaid returns the orders whose call-back has not arrived.
func (p *payer) unpaid() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, one := range p.orders {
		if one.took == 0 {
			n++
		}
	}
	return n
}

// settled waits until no payment is left or the test's patience ends.
func settled(t *testing.T, p *payer) {
	t.Helper()
	require.Eventually(t, func() bool { return p.unpaid() == 0 }, 10*time.Second, time.Millisecond)
}

// The built-in payer repeats while an order is on its way, and counts an order once, however often it is told.
func TestBuiltInPayer(t *testing.T) {
	o := newOperators(t, func(_ string, call int) (int, string) {
		if call < 3 {
			return http.StatusConflict, onItsWay
		}
		return http.StatusOK, `{"status":"paid"}`
	})
	one := &builtin{http: newPayClient(), base: o.URL, token: "shop-token"}
	p := newPayer(1, 1, one.pay)
	one.paid = p.paid
	ctx, cancel := context.WithCancel(t.Context())
	p.start(ctx)
	for n := range 20 {
		p.take(order(n))
		p.take(order(n))
	}
	settled(t, p)
	cancel()
	p.workers.Wait()
	found := p.results("built-in", time.Minute)
	require.Equal(t, Payments{Payer: "built-in", Asked: 20, Paid: 20, InTime: 20, Within: 60, P50: found.P50, Max: found.Max},
		found)
	require.GreaterOrEqual(t, found.Max, (2 * payAgain).Seconds())
	require.GreaterOrEqual(t, found.Max, found.P50)
	require.EqualValues(t, 20, p.results("", time.Nanosecond).Paid)
	require.Zero(t, p.results("", time.Nanosecond).InTime)
	require.Equal(t, 3, o.calls["1000"])
	require.JSONEq(t, `{"payment_id":"rehearsal-1000"}`, findBody(o.bodies, "1000"))
	p.take(order(99))
	require.EqualValues(t, 20, p.results("", 1).Asked, "a payer that was stopped takes nothing")
}

func findBody(bodies []string, part string) string {
	for _, body := range bodies {
		if strings.Contains(body, part) {
			return body
		}
	}
	return ""
}

// A payment that is refused is not repeated, and the reason is kept.
func TestAPaymentThatIsRefused(t *testing.T) {
	o := newOperators(t, func(string, int) (int, string) { return http.StatusConflict, `{"code":"wrong_status"}` })
	one := &builtin{http: newPayClient(), base: o.URL, token: "shop-token", paid: func(string) { t.Error("it was not paid") }}
	require.ErrorContains(t, one.pay(t.Context(), order(1)), "answered 409")
	require.Equal(t, 1, o.calls["1001"])
	one.token = "wrong"
	require.ErrorContains(t, one.pay(t.Context(), order(1)), "answered 401")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, one.pay(ended, order(1)), context.Canceled)
}

// The share is drawn by the seed: the same orders each time.
func TestAShareIsPaid(t *testing.T) {
	drawn := func(seed uint64) (n int64) {
		p := newPayer(0.3, seed, nil)
		for i := range 1000 {
			p.take(order(i))
		}
		return p.results("", 1).Asked
	}
	require.InDelta(t, 300, drawn(1), 60)
	require.Equal(t, drawn(1), drawn(1))
	p := newPayer(0, 1, nil)
	p.take(order(1))
	require.Zero(t, p.unpaid())
}

// A shop is told of an order, calls back at the desk, and the desk passes the call-back and its answer on.
func TestAShopThatCallsBack(t *testing.T) {
	o := newOperators(t, func(_ string, call int) (int, string) {
		if call == 1 {
			return http.StatusConflict, onItsWay
		}
		return http.StatusOK, `{"status":"paid"}`
	})
	var requests []payRequest
	var mu sync.Mutex
	var statuses atomic.Int64
	shopServer := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var asked payRequest
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			t.Error(err)
			return
		}
		mu.Lock()
		requests = append(requests, asked)
		mu.Unlock()
		for range 2 {
			status, _, err := send(r.Context(), http.DefaultClient, "PUT", asked.CallbackURL, asked.Token,
				[]byte(`{"payment_id":"p"}`))
			if err != nil {
				t.Error(err)
			}
			statuses.Add(int64(status))
		}
	}))
	defer shopServer.Close()
	one := &shop{http: newPayClient(), url: shopServer.URL, token: "given"}
	p := newPayer(1, 1, one.pay)
	d, err := openDesk("127.0.0.1:0", &desk{token: "given", operators: o.URL, shopToken: "shop-token", paid: p.paid})
	require.NoError(t, err)
	one.callback = d.base
	ctx, cancel := context.WithCancel(t.Context())
	p.start(ctx)
	of := sale.Sale{ID: "spring", Currency: "CNY", Items: []sale.Item{{SKU: "phone", PriceCents: 500}}}
	p.take(toldOf(77, "ann", []sale.Line{{SKU: "phone", Quantity: 2}}, &of))
	settled(t, p)
	cancel()
	p.workers.Wait()
	require.EqualValues(t, 409+200, statuses.Load())
	require.Equal(t, []payRequest{{true, told{OrderID: "77", Sale: "spring", BuyerID: "ann", Currency: "CNY", TotalCents: 1000,
		Lines: []toldLine{{"phone", 2, 500}}}, d.base + "/admin/v1/orders/77/payment", "given"}}, requests)

	for _, wrong := range []struct {
		method, path, token string
		status              int
	}{
		{"PUT", "/admin/v1/orders/77/payment", "other", 401}, {"PUT", "/admin/v1/orders/77/payment", "", 401},
		{"GET", "/admin/v1/orders/77/payment", "given", 405}, {"GET", "/admin/v1/sales", "given", 404},
	} {
		status, _, err := send(t.Context(), http.DefaultClient, wrong.method, d.base+wrong.path, wrong.token, nil)
		require.NoError(t, err)
		require.Equal(t, wrong.status, status, "%+v", wrong)
	}
	status, _, err := send(t.Context(), http.DefaultClient, "PUT", d.base+"/admin/v1/orders/77/payment", "given",
		make([]byte, maxCallback+1))
	require.NoError(t, err)
	require.Equal(t, 400, status)
	o.Close()
	status, _, err = send(t.Context(), http.DefaultClient, "PUT", d.base+"/admin/v1/orders/77/payment", "given", []byte(`{}`))
	require.NoError(t, err)
	require.Equal(t, 503, status, "the shop asks again")
	require.NoError(t, d.close())
	_, err = openDesk("256.0.0.1:0", &desk{})
	require.ErrorContains(t, err, "--callback-listen")
}

// A shop that is away or refuses leaves the order unpaid and its reason in the result.
func TestAShopThatDoesNot(t *testing.T) {
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, "tea only") // as above
	}))
	defer refusing.Close()
	one := &shop{http: newPayClient(), url: refusing.URL}
	p := newPayer(1, 1, one.pay)
	ctx, cancel := context.WithCancel(t.Context())
	p.start(ctx)
	p.take(order(5))
	require.Eventually(t, func() bool { return p.results("", 1).Fault != "" }, 10*time.Second, time.Millisecond)
	require.Equal(t, "order 1005: the shop answered 418: tea only", p.results("", 1).Fault)
	require.Zero(t, p.results("", 1).Paid)
	awaitPayments(t.Context(), p, 60*time.Millisecond)
	open, _ := p.open(60 * time.Millisecond)
	require.False(t, open, "what arrives now is late")
	cancel()
	p.workers.Wait()
	awaitPayments(ctx, p, time.Hour) // ctx has ended
}

// A shop that answers each order in time is waited for, however many orders stand before the last one.
func TestABacklogOfPaymentsIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const second = time.Second
		p := newPayer(1, 1, nil)
		p.pay = func(_ context.Context, one *told) error {
			<-time.After(second)
			p.paid(one.OrderID)
			return nil
		}
		ctx, cancel := context.WithCancel(t.Context())
		p.start(ctx)
		for n := range 5 * payWorkers {
			p.take(order(n))
		}
		awaitPayments(ctx, p, 2*second)
		found := p.results("", 2*second)
		require.EqualValues(t, 5*payWorkers, found.InTime)
		cancel()
		p.workers.Wait()
	})
}

// A shop that says nothing is given up when no call-back has arrived for as long as one may take.
func TestASilentShopIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPayer(1, 1, func(ctx context.Context, _ *told) error { <-ctx.Done(); return ctx.Err() })
		ctx, cancel := context.WithCancel(t.Context())
		p.start(ctx)
		for n := range 5 * payWorkers {
			p.take(order(n))
		}
		began := time.Now()
		awaitPayments(ctx, p, time.Minute)
		require.InDelta(t, 60, time.Since(began).Seconds(), 1)
		require.Zero(t, p.results("", time.Minute).Paid)
		cancel()
		p.workers.Wait()
	})
}

// Only an answer that is this press's order is paid.
func TestOrdersOfAnswers(t *testing.T) {
	of := &sale.Sale{ID: "spring"}
	lines := []loadtest.Asked{{SKU: "a", Quantity: 1}}
	for code, is := range map[string]bool{"queued": true, "held": true, "replayed": true, "already_bought": false,
		"key_reused": false, "sold_out": false, "unknown": false} {
		found := ordered(&loadtest.Told{Code: code, OrderID: "123", Buyer: "ann", Lines: lines}, of)
		require.Equal(t, is, found != nil, code)
	}
	require.Nil(t, ordered(&loadtest.Told{Code: "queued"}, of))
	require.Nil(t, ordered(&loadtest.Told{Code: "queued", OrderID: "x"}, of))
}
