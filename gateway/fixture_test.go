package gateway

import (
	"bufio"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

var (
	secret   = []byte("0123456789abcdef0123456789abcdef")
	previous = []byte("fedcba9876543210fedcba9876543210")
	noon     = time.Date(2026, 11, 11, 12, 0, 0, 123_000_000, time.UTC)
)

var errAway = errors.New("the store is away")

// fakeStock decides by a function of the test and records the calls.
type fakeStock struct {
	mu       sync.Mutex
	decide   func(sale.Purchase) sale.Answer
	asked    []sale.Purchase
	holdings map[string][]sale.Holding // by buyer
	owners   map[sale.Shelf][]string
	readings map[sale.Shelf]level
	numbers  map[string]int // of the items, by SKU
	changes  int64          // the sequence of every bucket: each change of the fake counts as one
	moving   bool           // units are on their way between buckets
	failing  error
	now      atomic.Int64 // Unix milliseconds
	reads    atomic.Int64 // buckets read by Readings
	shelves  atomic.Int64 // shelves read by StockReadings
}

// level is what the fake Redis has of a SKU in a bucket.
type level struct{ Epoch, Available, Taken, Moved, Returned int64 }

func newFakeStock() *fakeStock {
	s := &fakeStock{
		holdings: map[string][]sale.Holding{}, owners: map[sale.Shelf][]string{}, readings: map[sale.Shelf]level{},
		numbers: map[string]int{},
	}
	s.decide = func(p sale.Purchase) sale.Answer {
		return sale.Answer{Outcome: sale.OutcomeQueued, OrderID: 4242, CreatedAt: s.Now()}
	}
	s.now.Store(noon.UnixMilli())
	return s
}

func (s *fakeStock) Reserve(p sale.Purchase) sale.Answer {
	s.mu.Lock()
	s.asked = append(s.asked, p)
	decide := s.decide
	s.mu.Unlock()
	return decide(p)
}

func (s *fakeStock) Holdings(_ context.Context, _ sale.Bucket, buyer string) ([]sale.Holding, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]sale.Holding(nil), s.holdings[buyer]...), s.failing
}

func (s *fakeStock) Owners(_ context.Context, b sale.Bucket, each func(string, []int) error) error {
	s.mu.Lock()
	numbers, err := map[string][]int{}, s.failing
	for shelf, buyers := range s.owners {
		if shelf.Bucket == b {
			for _, buyer := range buyers {
				numbers[buyer] = append(numbers[buyer], s.numbers[shelf.SKU])
			}
		}
	}
	s.mu.Unlock()
	for buyer, items := range numbers {
		if err := each(buyer, items); err != nil {
			return err
		}
	}
	return err
}

func (s *fakeStock) Readings(_ context.Context, buckets []sale.Bucket) ([]sale.Reading, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads.Add(int64(len(buckets)))
	out := make([]sale.Reading, len(buckets))
	for i, b := range buckets {
		out[i] = s.reading(b)
	}
	return out, s.failing
}

// reading has the epoch of any shelf of the bucket. The test holds the lock.
func (s *fakeStock) reading(b sale.Bucket) sale.Reading {
	r := sale.Reading{Sequence: s.changes}
	for shelf, l := range s.readings {
		if shelf.Bucket == b {
			r.Epoch = max(r.Epoch, l.Epoch)
		}
	}
	return r
}

func (s *fakeStock) StockReadings(_ context.Context, buckets []sale.Bucket, skus []string) ([]sale.StockReading, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shelves.Add(int64(len(buckets) * len(skus)))
	out := make([]sale.StockReading, len(buckets))
	for i, b := range buckets {
		out[i].Reading = s.reading(b)
		for _, sku := range skus {
			shelf := sale.ShelfReading{SKU: sku}
			if l, ok := s.readings[sale.Shelf{Bucket: b, SKU: sku}]; ok {
				shelf.Number, shelf.Available, shelf.Taken = s.numbers[sku], l.Available, l.Taken
				shelf.Moved, shelf.Returned = l.Moved, l.Returned
			}
			out[i].Shelves = append(out[i].Shelves, shelf)
		}
	}
	return out, s.failing
}

func (s *fakeStock) SoldOut(_ context.Context, buckets []sale.Bucket, sku string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range buckets {
		if s.readings[sale.Shelf{Bucket: b, SKU: sku}].Available > 0 {
			return false, s.failing
		}
	}
	return !s.moving, s.failing
}

func (s *fakeStock) Now() time.Time {
	if ms := s.now.Load(); ms != unknown {
		return time.UnixMilli(ms).UTC()
	}
	return time.Time{}
}

// unknown is the time before the first contact with Redis.
const unknown = 0

func (s *fakeStock) set(change func(*fakeStock)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changes++
	change(s)
}

func (s *fakeStock) answer(a sale.Answer) {
	s.set(func(s *fakeStock) { s.decide = func(sale.Purchase) sale.Answer { return a } })
}

func (s *fakeStock) purchases() []sale.Purchase {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]sale.Purchase(nil), s.asked...)
}

// fakeDatabase is the database: catalogue, rules, lists and order rows.
type fakeDatabase struct {
	stock   *fakeStock // learns the numbers of items
	mu      sync.Mutex
	version int64
	pending sale.Changes
	listed  map[string][]string
	rows    map[sale.OrderID]sale.Order
	failing error
	queries atomic.Int64
	polls   atomic.Int64
	onQuery func()

	cancels  int    // asked for
	onCancel func() // before a cancellation
}

func newFakeDatabase(stock *fakeStock) *fakeDatabase {
	return &fakeDatabase{stock: stock, listed: map[string][]string{}, rows: map[sale.OrderID]sale.Order{}}
}

func (b *fakeDatabase) Changes(_ context.Context, since int64) (sale.Changes, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.polls.Add(1)
	if b.failing != nil {
		return sale.Changes{}, b.failing
	}
	if since == b.version {
		return sale.Changes{Version: since}, nil
	}
	changes := b.pending
	changes.Version = b.version
	b.pending = sale.Changes{}
	return changes, nil
}

func (b *fakeDatabase) EachListed(_ context.Context, saleID string, each func(string) error) error {
	b.mu.Lock()
	listed, err := b.listed[saleID], b.failing
	b.mu.Unlock()
	for _, buyer := range listed {
		if err := each(buyer); err != nil {
			return err
		}
	}
	return err
}

func (b *fakeDatabase) Orders(_ context.Context, ids []sale.OrderID) ([]sale.Order, error) {
	b.queries.Add(1)
	b.mu.Lock()
	hook := b.onQuery
	b.mu.Unlock()
	if hook != nil {
		hook()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []sale.Order
	for _, id := range ids {
		if row, ok := b.rows[id]; ok {
			out = append(out, row)
		}
	}
	return out, b.failing
}

func (b *fakeDatabase) BuyerOrders(
	_ context.Context, saleID, sku, buyer string, after sale.OrderID, limit int,
) ([]sale.Order, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []sale.Order
	for _, row := range b.rows {
		if row.Sale == saleID && (sku == "" || row.Has(sku)) && row.BuyerID == buyer && row.OrderID > after {
			out = append(out, row)
		}
	}
	slices.SortFunc(out, func(a, b sale.Order) int { return cmp.Compare(a.OrderID, b.OrderID) })
	return out[:min(len(out), limit)], b.failing
}

// CancelOrder changes a row as the database does, and counts the calls.
func (b *fakeDatabase) CancelOrder(
	_ context.Context, id sale.OrderID, reason sale.OrderReason, buyer string,
) (sale.Order, error) {
	b.mu.Lock()
	hook := b.onCancel
	b.mu.Unlock()
	if hook != nil {
		hook()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cancels++
	row, there := b.rows[id]
	switch {
	case b.failing != nil:
		return sale.Order{}, b.failing
	case !there, buyer != "" && row.BuyerID != buyer:
		return sale.Order{}, fmt.Errorf("cancel order %s: %w", id, sale.ErrNotFound)
	case row.Status == sale.StatusCancelled:
		return row, nil
	case row.Status != sale.StatusConfirmed:
		return sale.Order{}, fmt.Errorf("cancel order %s: %w", id, &sale.StatusError{Status: row.Status})
	}
	row.Status, row.Reason = sale.StatusCancelled, reason
	b.rows[id] = row
	return row, nil
}

func (b *fakeDatabase) set(change func(*fakeDatabase)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change(b)
}

// publish adds sales with all their buckets open, in epoch 1. It numbers their items.
func (b *fakeDatabase) publish(sales ...sale.Sale) {
	b.set(func(b *fakeDatabase) {
		b.version++
		for _, s := range sales {
			for i := range s.Items {
				s.Items[i].Number = i + 1
				b.stock.set(func(f *fakeStock) { f.numbers[s.Items[i].SKU] = i + 1 })
			}
			b.pending.Sales = append(b.pending.Sales, s)
			for _, bucket := range s.BucketNames() {
				b.pending.Buckets = append(b.pending.Buckets,
					sale.BucketRow{Bucket: bucket, Epoch: 1, State: sale.BucketOpen, Partition: 3})
			}
		}
	})
}

func (b *fakeDatabase) rules(r sale.Rules) {
	r.Normalize()
	b.set(func(b *fakeDatabase) { b.version++; b.pending.Rules = &r })
}

func (b *fakeDatabase) bucket(row sale.BucketRow) {
	b.set(func(b *fakeDatabase) { b.version++; b.pending.Buckets = append(b.pending.Buckets, row) })
}

// autumn is an open sale with one SKU.
func autumn(change ...func(*sale.Sale)) sale.Sale {
	s := sale.Sale{
		ID: "autumn", State: sale.StateOpen, Name: "Autumn \"sale\"", Currency: "CNY", PerBuyerLimit: 1, PaymentTTL: 900,
		Eligibility: sale.EligibilityOpen, StartsAt: sale.Time{Time: noon.Add(-time.Hour)},
		EndsAt: sale.Time{Time: noon.Add(time.Hour)}, Buckets: 1,
		Items: []sale.Item{{SKU: "phone", Name: "A phone", Stock: 100, PriceCents: 129900}},
	}
	for _, c := range change {
		c(&s)
	}
	return s
}

// scene is a gateway on a loopback socket with fakes behind it.
type scene struct {
	t        testing.TB
	stock    *fakeStock
	database *fakeDatabase
	gateway  *Gateway
	registry *prometheus.Registry
	address  string
}

// newScene starts a gateway without its background roles: tests take one unit of work at a time, unless they call run.
func newScene(t testing.TB, change ...func(*Options, *Deps)) *scene {
	t.Helper()
	stock := newFakeStock()
	s := &scene{t: t, stock: stock, database: newFakeDatabase(stock), registry: prometheus.NewRegistry()}
	keys, err := NewSecrets(secret, previous)
	require.NoError(t, err)
	breakers, err := NewBreakers()
	require.NoError(t, err)
	options := Options{Keys: keys, Log: slog.New(slog.DiscardHandler)}
	deps := Deps{
		Catalogue: s.database, Stock: s.stock, Levels: s.stock, Orders: s.database, Cancels: s.database, Breakers: breakers,
		Registerer: s.registry,
	}
	for _, c := range change {
		c(&options, &deps)
	}
	s.gateway, err = New(options, deps)
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s.address = listener.Addr().String()
	served := make(chan error, 1)
	go func() { served <- s.gateway.Serve(listener) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		require.NoError(t, s.gateway.Shutdown(ctx))
		require.NoError(t, <-served)
		require.NoError(t, breakers.Load(sale.Rules{})) // Sentinel's rules are the process's
	})
	return s
}

// open publishes sales and takes them over.
func (s *scene) open(sales ...sale.Sale) *scene {
	s.t.Helper()
	s.database.publish(sales...)
	s.pollCatalogue()
	return s
}

func (s *scene) pollCatalogue() {
	s.t.Helper()
	require.NoError(s.t, s.gateway.pollCatalogue(context.Background()))
}

// run starts the background roles.
func (s *scene) run() {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); s.gateway.Run(ctx) }()
	s.t.Cleanup(func() { cancel(); <-ended })
}

const (
	autumnOrders = "/v1/sales/autumn/orders"
	phoneOrders  = "/v1/sales/autumn/items/phone/orders"
)

// response is an answer, read to its end.
type response struct {
	status int
	header http.Header
	body   string
	closes bool // the server closes the connection
}

func (r response) members(t testing.TB) map[string]any {
	t.Helper()
	var members map[string]any
	require.NoError(t, json.Unmarshal([]byte(r.body), &members), r.body)
	return members
}

// raw sends bytes over a new connection and reads one answer.
func (s *scene) raw(request string) response {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.address)
	require.NoError(s.t, err)
	defer conn.Close()
	require.NoError(s.t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	_, unsent := io.WriteString(conn, request) // the write may fail: a gateway need not read all of a request that it refuses
	method, _, _ := strings.Cut(request, " ")
	reader := bufio.NewReader(conn)
	_, err = reader.Peek(1)
	require.NoError(s.t, err, "the request was sent with: %v", unsent)
	return s.read(reader, method)
}

func (s *scene) read(r *bufio.Reader, method string) response {
	s.t.Helper()
	got, err := http.ReadResponse(r, &http.Request{Method: method})
	require.NoError(s.t, err)
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	require.NoError(s.t, err)
	return response{status: got.StatusCode, header: got.Header, body: string(body), closes: got.Close}
}

// send makes one request; headers are "Name: value" lines.
func (s *scene) send(method, path, body string, headers ...string) response {
	s.t.Helper()
	request := method + " " + path + " HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n"
	for _, h := range headers {
		request += h + "\r\n"
	}
	if body != "" || method == http.MethodPost {
		request += fmt.Sprintf("Content-Length: %d\r\n", len(body))
	}
	return s.raw(request + "\r\n" + body)
}

// press presses Buy as a buyer.
func (s *scene) press(buyer, body string, headers ...string) response {
	s.t.Helper()
	return s.send(http.MethodPost, phoneOrders, body, append(headers, bearer(buyer))...)
}

func (s *scene) get(path, buyer string) response {
	s.t.Helper()
	return s.send(http.MethodGet, path, "", bearer(buyer))
}

// refused requires a problem with exactly these members beyond the standard ones.
func (s *scene) refused(r response, o sale.Outcome, members map[string]any) {
	s.t.Helper()
	row := o.Row()
	s.problem(r, row.Status, row.Code, row.Title, members)
	if row.RetryAfter {
		require.Regexp(s.t, `^[1-9]\d*$`, r.header.Get("Retry-After"))
	} else {
		require.Empty(s.t, r.header.Get("Retry-After"))
	}
	challenge := ""
	if o == sale.OutcomeUnauthenticated {
		challenge = "Bearer"
	}
	require.Equal(s.t, challenge, r.header.Get("WWW-Authenticate"))
}

func (s *scene) problem(r response, status int, code, title string, members map[string]any) {
	s.t.Helper()
	require.Equal(s.t, status, r.status, r.body)
	require.Equal(s.t, "application/problem+json", r.header.Get("Content-Type"))
	require.Equal(s.t, "no-store", r.header.Get("Cache-Control"))
	got := r.members(s.t)
	require.NotEmpty(s.t, got["detail"])
	delete(got, "detail")
	expected := map[string]any{"type": "/problems/" + code, "title": title, "status": float64(status), "code": code}
	for name, value := range members {
		expected[name] = value
	}
	require.Equal(s.t, expected, got)
}

// counted returns flashsale_purchases_total of an outcome.
func (s *scene) counted(o sale.Outcome) float64 {
	return s.metric("flashsale_purchases_total", "outcome", o.String())
}

func (s *scene) metric(name, label, value string) float64 {
	s.t.Helper()
	families, err := s.registry.Gather()
	require.NoError(s.t, err)
	for _, family := range families {
		for _, m := range family.GetMetric() {
			for _, pair := range m.GetLabel() {
				if family.GetName() == name && pair.GetName() == label && pair.GetValue() == value {
					return m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
				}
			}
			if family.GetName() == name && label == "" {
				return m.GetCounter().GetValue()
			}
		}
	}
	return -1
}

// sign makes an HS256 token of a payload.
func sign(key []byte, payload string) string {
	return signAs(key, `{"alg":"HS256","typ":"JWT"}`, payload)
}

func signAs(key []byte, header, payload string) string {
	encode := base64.RawURLEncoding.EncodeToString
	text := encode([]byte(header)) + "." + encode([]byte(payload))
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return text + "." + encode(mac.Sum(nil))
}

// tokenOf is a buyer's valid token.
func tokenOf(buyer string) string {
	return sign(secret, fmt.Sprintf(`{"sub":%q,"exp":%d}`, buyer, noon.Add(time.Hour).Unix()))
}

func bearer(buyer string) string { return "Authorization: Bearer " + tokenOf(buyer) }

func newReader(text string) *bufio.Reader { return bufio.NewReader(strings.NewReader(text)) }
