package recovery

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/scripts"
	"flashsale/test/fakes"
	"flashsale/test/harness"
	"flashsale/test/locked"
)

// engineID is a database that returns an engine's id, or an error.
type engineID struct {
	mu   sync.Mutex
	id   string
	away error
}

func (e *engineID) EngineID(context.Context) (string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.id, e.away
}

func silent() *slog.Logger { return slog.New(slog.DiscardHandler) }

// The first engine gets the namespace. Another one sells, loads, relays and applies nothing, and its error says what it found.
func TestOneEngineOwnsANamespace(t *testing.T) {
	ctx := context.Background()
	shared := scripts.Options{Namespace: fakes.Namespace(t), Addrs: []string{harness.SharedRedis(t).Addr}}
	w := newWorldOn(t, shared, nil)
	b := w.Stock("phone", 10, 1)
	require.NoError(t, NewIdentity(w.Redis, &engineID{id: "first"}, silent()).Check(ctx))
	require.Equal(t, sale.OutcomeQueued, w.Buy(b, "anna").Outcome)

	other := newWorldOn(t, shared, nil)
	identity := NewIdentity(other.Redis, &engineID{id: "second"}, silent())
	other.Sale.Items = w.Sale.Items
	other.Sale = other.DB.PutSale(other.Sale)
	row := other.DB.AddBucket(b, 2, sale.SKUUnits{SKU: "phone", Units: 1000})
	err := identity.Check(ctx)
	require.ErrorIs(t, err, sale.ErrForeign)
	require.ErrorContains(t, err, `:engine holds "first", and the id of this database is "second"`)
	require.ErrorContains(t, err, "change the setting namespace of one of them")
	require.Equal(t, err, identity.Doubt())

	require.ErrorIs(t, NewRebuilder(other.Redis, other.Kafka, other.DB).Rebuild(ctx, []sale.BucketRow{row}, nil), sale.ErrForeign)
	require.ErrorIs(t, other.newRelay(other.Kafka).relayOnce(ctx), sale.ErrForeign)
	require.ErrorIs(t, other.applier().applyAll(ctx), sale.ErrForeign)
	require.ErrorIs(t, other.Redis.ApplyWindow(ctx, []sale.Bucket{b}, sale.Window{Version: 99}), sale.ErrForeign)
	require.ErrorIs(t, other.Redis.LoadList(ctx, "sale", 1, 0, nil), sale.ErrForeign)
	press := other.Basket(b, "bert", other.Line("phone", 1))
	require.Equal(t, sale.Answer{Outcome: sale.OutcomeFenced, Reason: "foreign"}, other.Reserve(press))
	require.Empty(t, other.DB.Reported(), "the bucket of another engine is not reported")
	require.Equal(t, int64(9), w.Shelf(b).Available)
	require.Equal(t, sale.OutcomeQueued, w.Buy(b, "bert").Outcome, "the owner still sells")
}

// Before the database has returned its id nothing is sold; a database or Redis that is away later changes nothing.
func TestIdentityIsKnownBeforeAnythingIsSold(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t, nil)
	b := w.Stock("phone", 10, 1)
	away := errors.New("away")
	database := &engineID{id: "ours", away: away}
	identity := NewIdentity(w.Redis, database, silent())
	require.Equal(t, sale.OutcomeFenced, w.Buy(b, "anna").Outcome)
	require.ErrorIs(t, identity.Check(ctx), away)
	require.Equal(t, sale.OutcomeFenced, w.Buy(b, "anna").Outcome)
	database.away = nil
	require.NoError(t, identity.Check(ctx))
	require.NoError(t, identity.Doubt())
	require.Equal(t, sale.OutcomeQueued, w.Buy(b, "anna").Outcome)
	database.away = away
	require.NoError(t, identity.Check(ctx), "it is asked once")
	ended, cancel := context.WithCancel(ctx)
	cancel()
	require.Error(t, identity.Check(ended))
	require.NoError(t, identity.Doubt(), "a missing answer is not a doubt")
}

// A running process notices within two seconds that another program has replaced the key, and that the key is its own again.
func TestIdentityIsComparedAllTheTime(t *testing.T) {
	w := newWorld(t, nil)
	b := w.Stock("phone", 10, 1)
	log := &locked.Buffer{}
	identity := NewIdentity(w.Redis, &engineID{id: "ours"}, slog.New(slog.NewTextHandler(log, nil)))
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { identity.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	fakes.Eventually(t, func() bool { return identity.Doubt() == nil }, "claimed")
	w.Do("SET", w.Redis.OwnerKey(), "theirs")
	fakes.Eventually(t, func() bool { return w.Buy(b, "anna").Outcome == sale.OutcomeFenced }, "noticed")
	w.Do("DEL", w.Redis.OwnerKey())
	fakes.Eventually(t, func() bool { return w.Buy(b, "bert").Outcome == sale.OutcomeQueued }, "claimed again")
	w.Do("DEL", w.Redis.OwnerKey())
	w.Do("HSET", w.Redis.OwnerKey(), "field", "value")
	fakes.Eventually(t, func() bool { return errors.Is(identity.Doubt(), sale.ErrForeign) },
		"a key of another type belongs to another program too")
	require.ErrorContains(t, identity.Doubt(), "key "+w.Redis.OwnerKey()+" is not what the engine writes there")
	fakes.Eventually(t, func() bool { return bytes.Count([]byte(log.String()), []byte("nothing is sold")) == 2 },
		"each error is logged once")
}

// When another program has written a key of a bucket, the error names the key and what to do, and the key is not changed;
// nothing is sold.
func TestForeignKeysAreNamed(t *testing.T) {
	ctx := context.Background()
	for name, kind := range map[string][]string{
		"meta":    {"SET", "text"},
		"stock":   {"SET", "text"},
		"buyers":  {"LPUSH", "text"},
		"journal": {"SET", "text"},
		"hash":    {"HSET", "field", "value"}, // the right type, and not the engine's
	} {
		t.Run(name, func(t *testing.T) {
			server := harness.SharedRedis(t)
			w := newWorld(t, nil)
			b := sale.Bucket{Sale: w.Sale.ID}
			keys := w.Redis.Keys(b)
			key := map[string]string{"meta": keys.Meta, "stock": keys.Stock, "buyers": keys.Buyers, "journal": keys.Journal,
				"hash": keys.Meta}[name]
			w.Do(append([]string{kind[0], key}, kind[1:]...)...)
			before := server.MustDo(t, "DUMP", key)
			w.Sale.Items = []sale.Item{{SKU: "phone"}}
			w.Sale = w.DB.PutSale(w.Sale)
			row := w.DB.AddBucket(b, 2, sale.SKUUnits{SKU: "phone", Units: 10})
			err := NewRebuilder(w.Redis, w.Kafka, w.DB).Rebuild(ctx, []sale.BucketRow{row}, nil)
			require.ErrorIs(t, err, sale.ErrForeign)
			require.ErrorContains(t, err, key)
			require.ErrorContains(t, err, "Give the engine a namespace of its own, or delete the key")
			require.Equal(t, before, server.MustDo(t, "DUMP", key))
			require.NotEqual(t, sale.BucketOpen, w.DB.Row(b).State)
			w.Do("DEL", key)
			w.Rebuild(w.DB.Row(b))
			press := w.Basket(b, "anna", w.Line("phone", 1))
			require.Equal(t, sale.OutcomeQueued, w.Reserve(press).Outcome)
		})
	}
}

// When a key is replaced while the bucket sells, every reader's error names it.
func TestForeignMetaIsNamedByReaders(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t, nil)
	b := w.Stock("phone", 10, 1)
	meta := w.Redis.Keys(b).Meta
	w.Do("DEL", meta)
	w.Do("SET", meta, "text")
	require.Equal(t, sale.OutcomeUnavailable, w.Buy(b, "anna").Outcome)
	_, err := w.Redis.Readings(ctx, []sale.Bucket{b})
	require.ErrorIs(t, err, sale.ErrForeign)
	require.ErrorContains(t, err, meta)
	_, err = w.Redis.Probe(ctx, []sale.BucketRow{w.DB.Row(b)})
	require.ErrorIs(t, err, sale.ErrForeign)
	require.ErrorContains(t, err, meta)
}
