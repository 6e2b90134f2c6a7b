package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/test/memory"
)

// database is what the store and the database in memory have in common, as the rooms use it.
type database interface {
	Settle(ctx context.Context, deliveries []sale.Delivery) (sale.Settlement, error)
	Positions(ctx context.Context) ([]sale.Position, error)
	CloseBuckets(ctx context.Context, rows []sale.BucketRow) ([]sale.BucketRow, error)
	ReportLoss(ctx context.Context, bucket sale.Bucket, epoch int64, reason string) error
	BeginLoads(ctx context.Context, rows []sale.BucketRow) ([]sale.Load, error)
	OpenBuckets(ctx context.Context, rows []sale.BucketRow) ([]sale.BucketRow, error)
	FencesPassed(ctx context.Context, tokens []string) (bool, error)
	BucketCounters(ctx context.Context, buckets []sale.Bucket) ([]sale.BucketCounters, error)
	SaleHead(ctx context.Context, id string) (sale.Sale, error)
	SaleCounters(ctx context.Context, saleID string) ([]sale.StockCounters, error)
	StockCounters(ctx context.Context, buckets []sale.Bucket, skus []string) ([]sale.StockCounters, error)
	Outbox(ctx context.Context, maxRows int) ([]sale.OutboxRow, error)
	OutboxDone(ctx context.Context, applied []sale.Applied) error
	OrderEvents(ctx context.Context, maxOrders int) ([]sale.OrderEvent, error)
	EventsPublished(ctx context.Context, ids []int64) error
	EventOrders(ctx context.Context) (int64, error)
	Headway(ctx context.Context) ([]sale.Headway, error)
	Order(ctx context.Context, id sale.OrderID) (sale.Order, error)
	Orders(ctx context.Context, ids []sale.OrderID) ([]sale.Order, error)
	BuyerOrders(ctx context.Context, saleID, sku, buyer string, after sale.OrderID, limit int) ([]sale.Order, error)
	EachOrder(ctx context.Context, saleID string, fn func(sale.Order) error) error
	CancelOrder(ctx context.Context, id sale.OrderID, reason sale.OrderReason, buyer string) (sale.Order, error)
	PayOrder(ctx context.Context, id sale.OrderID, paymentID string) (sale.Order, error)
	ExtendOrder(ctx context.Context, id sale.OrderID, payBy sale.Time) (sale.Order, error)
	FreezeHolds(ctx context.Context, id, reason string) (sale.Sale, error)
	BeginThaw(ctx context.Context, id string) (sale.Thaw, error)
	ThawOrders(ctx context.Context, thaw sale.Thaw) (sale.Thaw, error)
	Thaws(ctx context.Context, began time.Duration) ([]sale.Thaw, error)
	UnpaidOrders(ctx context.Context) ([]sale.UnpaidOrders, error)
	RememberPayment(ctx context.Context, id sale.OrderID, paymentID string) (bool, error)
	PaidUnits(ctx context.Context, saleID string) ([]sale.PaidUnits, error)
	AddDeadLetter(ctx context.Context, letter sale.DeadLetter) error
	DeadLetter(ctx context.Context, id string) (sale.DeadLetter, error)
	DeadLetters(ctx context.Context, q *sale.LetterQuery) (sale.LetterPage, error)
	OrderFeed(ctx context.Context, q *sale.OrderQuery) (sale.OrderPage, error)
	MarkReplayed(ctx context.Context, id string) error
	RefuseDeadLetter(ctx context.Context, id string) error
	catalogue
}

// catalogue is the part of a database that operators change.
type catalogue interface {
	PutSale(ctx context.Context, wanted sale.Sale) (sale.Sale, bool, error)
	Sale(ctx context.Context, id string) (sale.Sale, error)
	Sales(ctx context.Context) ([]sale.Sale, error)
	SaleSummaries(ctx context.Context) ([]sale.Summary, error)
	SetState(ctx context.Context, id string, to sale.State, from ...sale.State) (sale.Sale, error)
	PauseSale(ctx context.Context, id, reason string) error
	LoadStock(ctx context.Context, id string, partitions int32) ([]sale.BucketRow, error)
	ChangeStock(ctx context.Context, asked sale.StockChange) (sale.StockChange, error)
	ReplaceBuyers(ctx context.Context, id string, next func() (string, error)) (int64, error)
	EachListed(ctx context.Context, id string, fn func(buyer string) error) error
	ArchivedSales(ctx context.Context) ([]sale.Sale, error)
	Unrest(ctx context.Context, id string) (sale.Unrest, error)
	ArchiveSale(ctx context.Context, id string, judged []sale.StockCounters) (sale.Archive, error)
	Archive(ctx context.Context, id string) (sale.Archive, error)
	OpenArchives(ctx context.Context) ([]sale.Archive, error)
	ArchiveDropped(ctx context.Context, id string) error
	ForgetLists(ctx context.Context, id string) (int64, error)
	DeleteDraft(ctx context.Context, id string) error
	Changes(ctx context.Context, since int64) (sale.Changes, error)
	CatalogueVersion(ctx context.Context) (int64, error)
	Rules(ctx context.Context) (sale.Rules, error)
	PutRules(ctx context.Context, rules sale.Rules, expect *int64) (sale.Rules, error)
	NoteGateway(ctx context.Context, holder string, version int64) error
	ForgetGateway(ctx context.Context, holder string) error
	LiveGateways(ctx context.Context, within time.Duration) (int64, error)
	Brake(ctx context.Context) (*sale.Brake, error)
	SetBrake(ctx context.Context, next *sale.Brake, lasting time.Duration) error
	GatewaysBehind(ctx context.Context, version int64, within time.Duration) ([]string, error)
	AcquireLease(ctx context.Context, name, holder string, ttl time.Duration) (bool, error)
	ReleaseLease(ctx context.Context, name, holder string) error
	RenewNode(ctx context.Context, lease sale.NodeLease, highWaterMS int64, ttl time.Duration) error
}

var _, _ database = (*Store)(nil), (*memory.Database)(nil)

// both asks the store and the database in memory the same, requires that their answers agree, and returns the store's.
// Errors agree when their kinds do.
func both[T any](t require.TestingT, s *Store, m *memory.Database, ask func(database) (T, error)) (T, error) {
	ofStore, failed := ask(s)
	ofMemory, failedToo := ask(m)
	require.Equal(t, kindOf(failed), kindOf(failedToo), "store: %v, memory: %v", failed, failedToo)
	require.Equal(t, comparableAnswer(ofStore), comparableAnswer(ofMemory), "what the store and the memory answer")
	return ofStore, failed
}

// bothDo is both for a call without an answer.
func bothDo(t require.TestingT, s *Store, m *memory.Database, do func(database) error) error {
	_, err := both(t, s, m, func(d database) (struct{}, error) { return struct{}{}, do(d) })
	return err
}

// kindOf returns the kind of an error that callers can distinguish.
func kindOf(err error) string {
	var status *sale.StatusError
	var paid *sale.PaidError
	var state *sale.StateError
	var version *sale.VersionError
	var poison *sale.PoisonError
	var field *sale.FieldError
	var unrest *sale.UnrestError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &status):
		return fmt.Sprint("status ", status.Status)
	case errors.As(err, &paid):
		return "paid by " + paid.PaymentID
	case errors.As(err, &state):
		return fmt.Sprint("state ", state.State)
	case errors.As(err, &version):
		return fmt.Sprint("version ", version.Present)
	case errors.As(err, &poison):
		return fmt.Sprint("poison ", poison.Index, poison.Reason)
	case errors.As(err, &field):
		return "field " + field.Field
	case errors.As(err, &unrest):
		return "unrest " + unrest.Error()
	}
	for _, known := range []error{
		sale.ErrNotFound, sale.ErrNotFrozen, sale.ErrThawing, sale.ErrBehind, sale.ErrLostTail, sale.ErrLeaseHeld,
		sale.ErrChangeReused,
	} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return "fault"
}

// comparableAnswer removes from an answer everything that depends on the clock, on other runs of the store, or on the order in
// which a server reads its rows.
func comparableAnswer(answer any) any {
	switch a := answer.(type) {
	case sale.Order:
		return withoutClock(a)
	case []sale.Order:
		return mapped(a, withoutClock)
	case []sale.OrderEvent:
		return mapped(a, func(e sale.OrderEvent) sale.OrderEvent {
			return sale.OrderEvent{Orders: mapped(e.Orders, withoutClock), Extended: e.Extended}
		})
	case []sale.Load:
		return mapped(a, func(l sale.Load) sale.Load {
			l.Window.Version = 0
			l.Owners, l.Released = byID(l.Owners), byID(l.Released)
			return l
		})
	case sale.Sale:
		a.Version = 0
		if a.HoldsFrozenSince != nil {
			a.HoldsFrozenSince = &sale.Time{}
		}
		return a
	case []sale.Sale:
		return mapped(a, func(s sale.Sale) any { return comparableAnswer(s) })
	case []sale.Summary:
		return mapped(a, func(s sale.Summary) sale.Summary {
			s.Version = 0
			if s.HoldsFrozenSince != nil {
				s.HoldsFrozenSince = &sale.Time{}
			}
			return s
		})
	case sale.Archive:
		a.ArchivedAt = sale.Time{}
		return a
	case []sale.Archive:
		return mapped(a, func(one sale.Archive) any { return comparableAnswer(one) })
	case *sale.Brake:
		if a == nil {
			return nil
		}
		return sale.Brake{Reason: a.Reason, PerSecond: a.PerSecond, PerGateway: a.PerGateway}
	case sale.Rules:
		a.Version = 0
		return a
	case []sale.BucketRow:
		return mapped(a, func(r sale.BucketRow) sale.BucketRow { return r })
	case []sale.BucketCounters:
		return mapped(a, func(c sale.BucketCounters) sale.BucketCounters { return c })
	case []sale.StockCounters:
		return mapped(a, func(c sale.StockCounters) sale.StockCounters { return c })
	case []sale.PaidUnits:
		return mapped(a, func(p sale.PaidUnits) sale.PaidUnits {
			p.LastAt = sale.Time{}
			return p
		})
	case []sale.OutboxRow:
		return mapped(a, func(r sale.OutboxRow) sale.OutboxRow {
			r.Orders = mapped(r.Orders, func(o sale.ReleasedOrder) sale.ReleasedOrder { return o })
			r.Lines = mapped(r.Lines, func(l sale.OutboxLine) sale.OutboxLine { return l })
			return r
		})
	}
	return answer
}

// mapped is never nil, so that an empty answer equals a nil one.
func mapped[T, R any](all []T, to func(T) R) []R {
	found := make([]R, len(all))
	for i := range all {
		found[i] = to(all[i])
	}
	return found
}

func byID(orders []sale.RecordOrder) []sale.RecordOrder {
	return slices.SortedFunc(slices.Values(orders), func(a, b sale.RecordOrder) int { return cmp.Compare(a.OrderID, b.OrderID) })
}

// withoutClock leaves out when an order changed and when it expires, where that depends on the moment of the settlement.
func withoutClock(o sale.Order) sale.Order {
	if o.CreatedAt.Before(time.Now()) {
		if o.UpdatedAt = o.CreatedAt; o.PayBy != nil {
			o.PayBy = &o.CreatedAt
		}
	}
	return o
}
