package admin

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"path"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flashsale/access"
	"flashsale/lease"
	"flashsale/sale"
	"flashsale/tracing"
)

// Sales is the catalogue as operators change it. A missing sale is sale.ErrNotFound, a move that the state forbids a
// *sale.StateError.
type Sales interface {
	PutSale(ctx context.Context, s sale.Sale) (stored sale.Sale, created bool, err error)
	Sale(ctx context.Context, id string) (sale.Sale, error)
	Sales(ctx context.Context) ([]sale.Sale, error) // those that are not archived
	SetState(ctx context.Context, id string, to sale.State, from ...sale.State) (sale.Sale, error)
	ReplaceBuyers(ctx context.Context, id string, next func() (string, error)) (int64, error)
}

// Preloads reads and writes a sale's stock and buyers in the database, and the leases.
type Preloads interface {
	LoadStock(ctx context.Context, id string, partitions int32) ([]sale.BucketRow, error)
	// ChangeStock adds or takes back units once for each key; a change that is not done is called again until it is.
	ChangeStock(ctx context.Context, change sale.StockChange) (sale.StockChange, error)
	SaleCounters(ctx context.Context, id string) ([]sale.StockCounters, error)
	BucketCounters(ctx context.Context, buckets []sale.Bucket) ([]sale.BucketCounters, error)
	EachListed(ctx context.Context, id string, each func(buyer string) error) error
	lease.Leases
}

// Archives is what the database keeps of sales that have ended.
type Archives interface {
	// Unrest counts what the database knows to keep a sale from being archived.
	Unrest(ctx context.Context, id string) (sale.Unrest, error)
	// ArchiveSale ends a closed sale that is at rest and whose counters are those judged. The error of one that is not is a
	// *sale.UnrestError.
	ArchiveSale(ctx context.Context, id string, judged []sale.StockCounters) (sale.Archive, error)
	Archive(ctx context.Context, id string) (sale.Archive, error)
	ArchivedSales(ctx context.Context) ([]sale.Sale, error)
}

// Archiver deletes what nobody needs of a sale any more. Both calls are made under the sale's lease and may be repeated.
type Archiver interface {
	Drop(ctx context.Context, archive *sale.Archive) error
	DropDraft(ctx context.Context, id string) error
}

// RuleBook stores the limits of all gateways.
type RuleBook interface {
	Rules(ctx context.Context) (sale.Rules, error)
	PutRules(ctx context.Context, rules sale.Rules, expect *int64) (sale.Rules, error)
	// Brake returns the engine's own limit of purchases, nil while there is none.
	Brake(ctx context.Context) (*sale.Brake, error)
}

// Orders finds an order by its id.
type Orders interface {
	Order(ctx context.Context, id sale.OrderID) (sale.Order, error)
}

// Stock is the copy that Redis sells from.
type Stock interface {
	Rebuild(ctx context.Context, rows []sale.BucketRow, progress func(done, total int)) error
	LoadList(ctx context.Context, id string, version, size int64, each func(func(buyer string) error) error) error
	HasList(ctx context.Context, id string, version, size int64) (bool, error)
	ApplyWindow(ctx context.Context, buckets []sale.Bucket, window sale.Window) error
	Readings(ctx context.Context, buckets []sale.Bucket) ([]sale.Reading, error)
	readings
}

// Gateways lists the gateways that do not sell by the newest catalogue yet.
type Gateways interface {
	CatalogueVersion(ctx context.Context) (int64, error)
	// GatewaysBehind returns the gateways that reported within a time and have an older version.
	GatewaysBehind(ctx context.Context, version int64, within time.Duration) ([]string, error)
}

// Options are the settings of the operators' API. Zero durations and functions take their defaults.
type Options struct {
	Tokens     []access.Token // who may do what; empty: every request that needs a token is refused
	Hosts      access.Hosts   // names under which browsers reach the listener, besides addresses and localhost
	Version    string         // of the binary, for the OpenAPI document
	Partitions int32          // of the orders topic; the first preload fixes a bucket's partition

	LeaseWait  time.Duration    // 30 s: how long a step waits for another process before it answers 503
	MoveLimit  time.Duration    // 10 min: the longest time of a preload
	ReadLimit  time.Duration    // 10 s: the longest time of reading the stores
	BodyLimit  time.Duration    // 30 s: the longest time of a JSON body, and the longest pause inside an upload
	StatsEvery time.Duration    // 1 s
	AuditWait  time.Duration    // 3 s: how long an audit waits for buckets that are being rebuilt
	ChunkLimit time.Duration    // 10 s: how long a client may take for 64 KB of a stream of orders
	StockWait  time.Duration    // 3 s: how long a change of the stock waits until its units are taken back
	Now        func() time.Time // Redis's clock where there is one; default time.Now
	Logger     *slog.Logger
}

// Deps are the parts that the API calls.
type Deps struct {
	Sales       Sales
	Preloads    Preloads
	Rules       RuleBook
	Orders      Orders
	Feed        Feed
	DeadLetters DeadLetters
	Decisions   Decisions
	Holds       Holds
	Stock       Stock
	Gateways    Gateways
	Archives    Archives
	Archiver    Archiver
	Trail       Trail
	LogLevel    LogLevel
	Process     string          // the name of this process
	Tracer      *tracing.Tracer // nil: no spans
	Console     http.Handler    // of the page for browsers; nil: there is none
	Journals    Journals
	Tail        Tail
	Gatherer    prometheus.Gatherer

	Registerer prometheus.Registerer    // nil: the API's own counters are not exported
	Ready      func() map[string]string // what the process still waits for; empty: the process is ready
	ClockAhead ClockAhead

	Live   LiveBooks
	Pulses Pulses
	Stores *StoreWatch // nil: no store is watched
}

// maxStreams bounds the open Server-Sent Event streams, so that 30 operators may have eight pages each; a request for one more is
// answered 503 overloaded.
const maxStreams = 256

// API is the operators' listener as a handler.
type API struct {
	opts     Options
	deps     Deps
	mux      *http.ServeMux
	document []byte
	once     access.Once
	streams  chan struct{}
	hub      *hub
	levels   *logLevels
	stores   *StoreWatch

	*door
	*stopper
}

// New builds the operators' API. Serve it with NewServer.
func New(opts Options, deps Deps) *API {
	opts.setDefaults()
	a := &API{
		opts: opts, deps: deps,
		mux:      http.NewServeMux(),
		document: documentOf(opts.Version),
		streams:  make(chan struct{}, maxStreams),

		door: &door{
			people: access.NewTokens(opts.Tokens), hosts: opts.Hosts, strangers: newStrangers(deps.Registerer, opts.Logger),
			notes: deps.Trail, bodyLimit: opts.BodyLimit, process: deps.Process, tracer: deps.Tracer,
			log: opts.Logger,
		},
		stopper: newStopper(),
		stores:  deps.Stores,
	}
	if a.stores == nil {
		a.stores = NewStoreWatch(opts.Logger)
	}
	a.levels = &logLevels{a.door, deps.LogLevel}
	a.hub = newHub(a)
	if deps.Console != nil {
		a.mux.Handle("GET /{$}", a.serve(route{need: public, handle: a.servePage}))
		a.mux.Handle("GET /console/", a.serve(route{need: public, handle: a.servePage}))
	}
	for _, route := range a.routes() {
		a.mux.Handle(route.method+" "+route.path, a.serve(route))
	}
	a.mux.Handle(http.MethodGet+" "+profilePath, a.serve(route{need: moves, handle: a.serveProfile}))
	return a
}

func (o *Options) setDefaults() {
	o.LeaseWait = cmp.Or(o.LeaseWait, 30*time.Second)
	o.MoveLimit = cmp.Or(o.MoveLimit, 10*time.Minute)
	o.ReadLimit = cmp.Or(o.ReadLimit, 10*time.Second)
	o.BodyLimit = cmp.Or(o.BodyLimit, bodyLimit)
	o.StatsEvery = cmp.Or(o.StatsEvery, time.Second)
	o.AuditWait = cmp.Or(o.AuditWait, 3*time.Second)
	o.ChunkLimit = cmp.Or(o.ChunkLimit, eventTimeout)
	o.StockWait = cmp.Or(o.StockWait, 3*time.Second)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
}

// ServeHTTP answers one request. A path that is not clean is answered 404, without a redirect.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer a.recovered(w, r)
	serveKnown(a.mux, w, r)
}

func (a *API) recovered(w http.ResponseWriter, r *http.Request) {
	switch cause := recover(); cause {
	case nil:
	case http.ErrAbortHandler:
		panic(cause)
	default:
		a.opts.Logger.Error("operators' request panicked", "method", r.Method, "path", r.URL.Path, "panic", cause, "stack",
			string(debug.Stack()))
		writeProblem(w, problemInternal)
	}
}

// serveKnown lets the mux answer the paths it has routes for, and replaces the mux's own plain-text answers by
// problems.
func serveKnown(mux *http.ServeMux, w http.ResponseWriter, r *http.Request) {
	if escaped := r.URL.EscapedPath(); r.Method != http.MethodConnect && path.Clean(escaped) == escaped {
		handler, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		mark := unwritten{header: http.Header{}}
		handler.ServeHTTP(&mark, r)
		if mark.status == http.StatusMethodNotAllowed {
			w.Header().Set("Allow", mark.header.Get("Allow"))
			writeProblem(w, sale.ProblemOf(sale.OutcomeMethodNotAllowed, ""))
			return
		}
	}
	writeProblem(w, sale.ProblemOf(sale.OutcomeNotFound, ""))
}

// unwritten records the status and the Allow header that the mux would have answered.
type unwritten struct {
	header http.Header
	status int
}

func (u *unwritten) Header() http.Header         { return u.header }
func (u *unwritten) WriteHeader(status int)      { u.status = status }
func (u *unwritten) Write(p []byte) (int, error) { return len(p), nil }
