package console

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/console"
)

type object = map[string]any

// item is one SKU of a sale with its numbers.
type item struct {
	SKU, Name                                            string
	Price                                                int64
	Loaded, Available, InFlight, Settled, Released, Paid int64
	PerSecond                                            float64
}

// show returns the numbers of an item as a row of the live answer.
func (i *item) show() object {
	row := object{
		"sku": i.SKU, "name": i.Name, "price_cents": i.Price, "loaded": i.Loaded, "available": i.Available,
		"in_flight": i.InFlight, "settled": i.Settled, "released": i.Released, "paid": i.Paid,
		"unpaid":        i.Settled - i.Released - i.Paid,
		"conserved":     i.Loaded == i.Available+i.InFlight+i.Settled-i.Released,
		"orders_per_s":  i.PerSecond,
		"sold_out_in_s": any(nil),
	}
	if i.PerSecond > 0 && i.Available > 0 {
		row["sold_out_in_s"] = float64(i.Available) / i.PerSecond
	}
	return row
}

// saleState is one sale.
type saleState struct {
	ID, Name, State, Reason string
	Starts, Ends            time.Time
	Frozen                  *time.Time
	Items                   []*item
	Refused                 map[string]float64
	Presses                 float64
}

// engine is the operators' API in memory.
type engine struct {
	t      *testing.T
	mu     sync.Mutex
	sales  map[string]*saleState
	rules  object
	orders []object
	dead   []object
	trail  []object
	down   map[string]string // stores that are away, and why
	brake  any
	blind  bool              // Redis and the database are away: no number is known
	tokens map[string]object // name and role by token
	open   map[string]object // sessions by cookie
	asked  []string          // method and path of each request that changes something
	keys   map[string]object // answers of stock changes by Idempotency-Key
	lose   int               // as many stock changes are done and their answers are lost
	wake   chan struct{}     // closed when something has changed
	cut    chan struct{}     // closed to end every stream
	away   bool              // no stream is accepted

	emptyPage bool // a page of orders has none, and a cursor
	server    *httptest.Server
}

// start serves an engine with one sale, and the console in front of it.
func start(t *testing.T) *engine {
	t.Helper()
	e := &engine{
		t: t, sales: map[string]*saleState{}, down: map[string]string{}, open: map[string]object{}, keys: map[string]object{},
		tokens: map[string]object{
			"lin-token":  {"name": "lin", "role": "operator"},
			"wang-token": {"name": "wang", "role": "operator"},
			"view-token": {"name": "guest", "role": "viewer"},
			"shop-token": {"name": "shop", "role": "shop"},
		},
		rules: object{
			"version": 4.0, "flow": []any{object{"resource": "purchase", "qps": 20000.0}}, "isolation": []any{},
			"circuit_breaker": []any{}, "buyer": object{"per_second": 5.0, "burst": 10.0}, "address": nil,
			"grief": object{"unpaid": 3.0, "window_s": 86400.0},
		},
		wake: make(chan struct{}), cut: make(chan struct{}),
	}
	now := time.Now().UTC()
	e.sales["double-11"] = &saleState{
		ID: "double-11", Name: "Double 11", State: "open", Starts: now.Add(-9 * time.Minute), Ends: now.Add(111 * time.Minute),
		Items: []*item{{SKU: "phone", Name: "Phone 15, black", Price: 129900, Loaded: 1000, Available: 400, InFlight: 10,
			Settled: 600, Released: 10, Paid: 450, PerSecond: 12}},
		Refused: map[string]float64{"sold_out": 120, "rate_limited": 31.5}, Presses: 240,
	}
	e.server = httptest.NewServer(e.routes())
	t.Cleanup(func() { e.cutStreams(true); e.server.Close() })
	return e
}

func (e *engine) url() string { return e.server.URL }

// changed wakes the streams. The caller holds the lock.
func (e *engine) changed() {
	close(e.wake)
	e.wake = make(chan struct{})
}

// cutStreams ends every stream; away refuses new ones until it is called again.
func (e *engine) cutStreams(away bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	close(e.cut)
	e.cut, e.away = make(chan struct{}), away
}

// with changes the engine's state under its lock.
func (e *engine) with(change func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	change()
	e.changed()
}

// requests returns the requests that changed something, in order.
func (e *engine) requests() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.asked)
}

// note writes an entry of the trail. The caller holds the lock.
func (e *engine) note(who, role, verb, target string, before, after any) {
	e.trail = append(e.trail, object{
		"id": len(e.trail) + 1, "at": stamp(time.Now()), "who": who, "role": role, "verb": verb, "target": target,
		"before": before, "after": after, "outcome": "done", "request_id": fmt.Sprintf("r%d", len(e.trail)+1),
	})
}

func stamp(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000Z") }

func (e *engine) routes() http.Handler {
	mux := http.NewServeMux()
	const one = "/admin/v1/sales/{sale}"
	pages := console.Handler()
	mux.Handle("GET /{$}", pages)
	mux.Handle("GET /console/", pages)
	mux.HandleFunc("/admin/v1/session", e.session)
	for pattern, row := range map[string]struct {
		least  string
		handle func(w http.ResponseWriter, r *http.Request, who object)
	}{
		"GET /admin/v1/live":                     {"viewer", e.listLive},
		"GET " + one + "/live":                   {"viewer", e.saleLive},
		"GET " + one:                             {"viewer", e.oneSale},
		"GET " + one + "/audit":                  {"viewer", e.audit},
		"GET /admin/v1/trail":                    {"viewer", e.readTrail},
		"GET /admin/v1/rules":                    {"viewer", e.getRules},
		"PUT /admin/v1/rules":                    {"operator", e.putRules},
		"POST " + one + "/preload":               {"operator", e.preload},
		"POST " + one + "/{verb}":                {"operator", e.move},
		"POST " + one + "/holds/{verb}":          {"operator", e.holds},
		"POST " + one + "/items/{sku}/stock":     {"operator", e.stock},
		"GET /admin/v1/orders":                   {"shop", e.listOrders},
		"GET /admin/v1/orders/{order}":           {"shop", e.oneOrder},
		"PUT /admin/v1/orders/{order}/pay_by":    {"shop", e.extend},
		"DELETE /admin/v1/orders/{order}":        {"shop", e.cancelOrder},
		"GET /admin/v1/deadletters":              {"viewer", e.listLetters},
		"POST /admin/v1/deadletters/{id}/{verb}": {"operator", e.decide},
	} {
		mux.HandleFunc(pattern, e.guarded(row.least, row.handle))
	}
	return mux
}

// guarded checks the session, its role, and the CSRF token of a request that changes something.
func (e *engine) guarded(least string, handle func(http.ResponseWriter, *http.Request, object)) http.HandlerFunc {
	ranks := map[string]int{"shop": 0, "viewer": 1, "operator": 2, "admin": 3}
	return func(w http.ResponseWriter, r *http.Request) {
		who := e.sessionOf(r)
		switch {
		case who == nil:
			refuse(w, 401, "unauthenticated", nil)
		case ranks[who["role"].(string)] < ranks[least]:
			refuse(w, 403, "forbidden", object{"role": least})
		case r.Method != http.MethodGet && r.Header.Get("X-CSRF-Token") != who["csrf"]:
			refuse(w, 403, "csrf_required", nil)
		default:
			if r.Method != http.MethodGet {
				e.mu.Lock()
				e.asked = append(e.asked, r.Method+" "+r.URL.Path)
				e.mu.Unlock()
			}
			handle(w, r, who)
		}
	}
}

func (e *engine) sessionOf(r *http.Request) object {
	cookie, err := r.Cookie(console.SessionCookie)
	if err != nil {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.open[cookie.Value]
}

// endSessions signs everybody out.
func (e *engine) endSessions() { e.with(func() { e.open = map[string]object{} }) }

func (e *engine) session(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodPost:
		who := e.tokens[bodyOf(e.t, r)["token"].(string)]
		if who == nil {
			refuse(w, 401, "unauthenticated", nil)
			return
		}
		e.mu.Lock()
		id := fmt.Sprintf("session-%d", len(e.open)+1)
		made := object{"name": who["name"], "role": who["role"], "csrf": "csrf-of-" + id,
			"expires_at": stamp(time.Now().Add(12 * time.Hour))}
		e.open[id] = made
		e.mu.Unlock()
		http.SetCookie(w, &http.Cookie{Name: console.SessionCookie, Value: id, Path: "/", HttpOnly: true,
			SameSite: http.SameSiteStrictMode})
		answer(w, made)
	case http.MethodDelete:
		cookie, err := r.Cookie(console.SessionCookie)
		if err == nil {
			e.mu.Lock()
			delete(e.open, cookie.Value)
			e.mu.Unlock()
		}
		http.SetCookie(w, &http.Cookie{Name: console.SessionCookie, Path: "/", MaxAge: -1})
		w.WriteHeader(http.StatusNoContent)
	default:
		if who := e.sessionOf(r); who != nil {
			answer(w, who)
			return
		}
		refuse(w, 401, "unauthenticated", nil)
	}
}

// saleOf returns the sale of the path; without one it answers 404.
func (e *engine) saleOf(w http.ResponseWriter, r *http.Request) *saleState {
	s := e.sales[r.PathValue("sale")]
	if s == nil {
		refuse(w, 404, "sale_not_found", nil)
	}
	return s
}

func answer(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value) // the page may be gone
}

func refuse(w http.ResponseWriter, status int, code string, members object) {
	problem := object{"status": status, "code": code, "title": strings.ReplaceAll(code, "_", " ")}
	for name, value := range members {
		problem[name] = value
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(problem) // the page may be gone
}

func bodyOf(t *testing.T, r *http.Request) object {
	var body object
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		t.Errorf("%s %s: the body is not JSON: %v", r.Method, r.URL.Path, err)
	}
	return body
}

func (e *engine) getRules(w http.ResponseWriter, _ *http.Request, _ object) {
	e.mu.Lock()
	defer e.mu.Unlock()
	answer(w, e.rules)
}

func (e *engine) putRules(w http.ResponseWriter, r *http.Request, who object) {
	rules := bodyOf(e.t, r)
	e.mu.Lock()
	defer e.mu.Unlock()
	if version, given := rules["version"]; given && version != e.rules["version"] {
		refuse(w, 409, "version_conflict", object{"version": e.rules["version"]})
		return
	}
	rules["version"] = e.rules["version"].(float64) + 1
	e.note(who["name"].(string), who["role"].(string), "rules", "rules", e.rules, rules)
	e.rules = rules
	answer(w, rules)
}

func (e *engine) readTrail(w http.ResponseWriter, r *http.Request, _ object) {
	e.mu.Lock()
	defer e.mu.Unlock()
	query := r.URL.Query()
	limit, err := strconv.Atoi(cmp.Or(query.Get("limit"), "100"))
	require.NoError(e.t, err)
	cursor, err := strconv.Atoi(cmp.Or(query.Get("cursor"), "0"))
	require.NoError(e.t, err)
	entries := []object{}
	for _, entry := range slices.Backward(e.trail) {
		about := query.Get("sale") == "" || strings.HasPrefix(entry["target"].(string), "sale/"+query.Get("sale"))
		before := query.Get("cursor") == "" || entry["id"].(int) < cursor
		if about && before && entry["at"].(string) >= query.Get("since") && len(entries) <= limit {
			entries = append(entries, entry)
		}
	}
	found := object{"entries": entries}
	if len(entries) > limit {
		found = object{"entries": entries[:limit], "next": strconv.Itoa(entries[limit-1]["id"].(int))}
	}
	answer(w, found)
}

func (e *engine) audit(w http.ResponseWriter, r *http.Request, _ object) {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.saleOf(w, r)
	if s == nil {
		return
	}
	items, holds := []object{}, true
	for _, one := range s.Items {
		row := one.show()
		row["sale"] = s.ID
		row["difference"] = one.Loaded - one.Available - one.InFlight - one.Settled + one.Released
		holds = holds && row["difference"] == int64(0)
		items = append(items, row)
	}
	answer(w, object{"holds": holds, "items": items})
}
