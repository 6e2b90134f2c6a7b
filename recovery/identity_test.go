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
	"flashsale/test/harness"
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

// safeBuffer is a log that may be read while it is written.
type safeBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// The first engine gets the namespace. Another one sells, loads, relays and applies nothing, and its error says what it found.
func TestOneEngineOwnsANamespace(t *testing.T) {
	ctx := context.Background()
	shared := scripts.Options{Namespace: namespace(t), Addrs: []string{harness.SharedRedis(t).Addr}}
	w := newWorldOn(t, shared, nil)
	b := w.stock("phone", 10, 1)
	require.NoError(t, NewIdentity(w.redis, &engineID{id: "first"}, silent()).Check(ctx))
	require.Equal(t, sale.OutcomeQueued, w.buy(b, "anna").Outcome)

	other := newWorldOn(t, shared, nil)
	identity := NewIdentity(other.redis, &engineID{id: "second"}, silent())
	row := other.db.AddBucket(b, 1000, 2)
	err := identity.Check(ctx)
	require.ErrorIs(t, err, sale.ErrForeign)
	require.ErrorContains(t, err, `:engine holds "first", and the id of this database is "second"`)
	require.ErrorContains(t, err, "change the setting namespace of one of them")
	require.Equal(t, err, identity.Doubt())

	require.ErrorIs(t, NewRebuilder(other.redis, other.kafka, other.db).Rebuild(ctx, []sale.BucketRow{row}, nil), sale.ErrForeign)
	require.ErrorIs(t, other.newRelay(other.kafka).relayOnce(ctx), sale.ErrForeign)
	require.ErrorIs(t, other.applier().applyAll(ctx), sale.ErrForeign)
	require.ErrorIs(t, other.redis.ApplyWindow(ctx, []sale.Bucket{b}, sale.Window{Version: 99}), sale.ErrForeign)
	require.ErrorIs(t, other.redis.LoadList(ctx, "sale", 1, 0, nil), sale.ErrForeign)
	require.Equal(t, sale.Answer{Outcome: sale.OutcomeFenced, Reason: "foreign"}, other.buy(b, "bert"))
	require.Empty(t, other.db.Reported(), "the bucket of another engine is not reported")
	require.Equal(t, int64(9), w.reading(b).Available)
	require.Equal(t, sale.OutcomeQueued, w.buy(b, "bert").Outcome, "the owner still sells")
}

// Before the database has returned its id nothing is sold; a database or Redis that is away later changes nothing.
func TestIdentityIsKnownBeforeAnythingIsSold(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t, nil)
	b := w.stock("phone", 10, 1)
	away := errors.New("away")
	database := &engineID{id: "ours", away: away}
	identity := NewIdentity(w.redis, database, silent())
	require.Equal(t, sale.OutcomeFenced, w.buy(b, "anna").Outcome)
	require.ErrorIs(t, identity.Check(ctx), away)
	require.Equal(t, sale.OutcomeFenced, w.buy(b, "anna").Outcome)
	database.away = nil
	require.NoError(t, identity.Check(ctx))
	require.NoError(t, identity.Doubt())
	require.Equal(t, sale.OutcomeQueued, w.buy(b, "anna").Outcome)
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
	b := w.stock("phone", 10, 1)
	log := &safeBuffer{}
	identity := NewIdentity(w.redis, &engineID{id: "ours"}, slog.New(slog.NewTextHandler(log, nil)))
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { identity.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	eventually(t, func() bool { return identity.Doubt() == nil }, "claimed")
	w.doOn("SET", w.redis.OwnerKey(), "theirs")
	eventually(t, func() bool { return w.buy(b, "anna").Outcome == sale.OutcomeFenced }, "noticed")
	w.doOn("DEL", w.redis.OwnerKey())
	eventually(t, func() bool { return w.buy(b, "bert").Outcome == sale.OutcomeQueued }, "claimed again")
	w.doOn("DEL", w.redis.OwnerKey())
	w.doOn("HSET", w.redis.OwnerKey(), "field", "value")
	eventually(t, func() bool { return errors.Is(identity.Doubt(), sale.ErrForeign) },
		"a key of another type belongs to another program too")
	require.ErrorContains(t, identity.Doubt(), "key "+w.redis.OwnerKey()+" is not what the engine writes there")
	eventually(t, func() bool { return bytes.Count([]byte(log.String()), []byte("nothing is sold")) == 2 },
		"each error is logged once")
}

// When another program has written a key of a bucket, the error names the key and what to do, and the key is not changed;
// nothing is sold.
func TestForeignKeysAreNamed(t *testing.T) {
	ctx := context.Background()
	for name, kind := range map[string][]string{
		"meta":    {"SET", "text"},
		"buyers":  {"LPUSH", "text"},
		"journal": {"SET", "text"},
		"hash":    {"HSET", "field", "value"}, // the right type, and not the engine's
	} {
		t.Run(name, func(t *testing.T) {
			server := harness.SharedRedis(t)
			w := newWorld(t, nil)
			b := sale.Bucket{Sale: w.sale.ID, SKU: "phone"}
			keys := w.redis.Keys(b)
			key := map[string]string{"meta": keys.Meta, "buyers": keys.Buyers, "journal": keys.Journal, "hash": keys.Meta}[name]
			w.doOn(append([]string{kind[0], key}, kind[1:]...)...)
			before := server.MustDo(t, "DUMP", key)
			row := w.db.AddBucket(b, 10, 2)
			err := NewRebuilder(w.redis, w.kafka, w.db).Rebuild(ctx, []sale.BucketRow{row}, nil)
			require.ErrorIs(t, err, sale.ErrForeign)
			require.ErrorContains(t, err, key)
			require.ErrorContains(t, err, "Give the engine a namespace of its own, or delete the key")
			require.Equal(t, before, server.MustDo(t, "DUMP", key))
			require.NotEqual(t, sale.BucketOpen, w.db.Row(b).State)
			w.doOn("DEL", key)
			w.rebuild(w.db.Row(b))
			require.Equal(t, sale.OutcomeQueued, w.buy(b, "anna").Outcome)
		})
	}
}

// When a key is replaced while the bucket sells, every reader's error names it.
func TestForeignMetaIsNamedByReaders(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t, nil)
	b := w.stock("phone", 10, 1)
	meta := w.redis.Keys(b).Meta
	w.doOn("DEL", meta)
	w.doOn("SET", meta, "text")
	require.Equal(t, sale.OutcomeUnavailable, w.buy(b, "anna").Outcome)
	_, err := w.redis.Readings(ctx, []sale.Bucket{b})
	require.ErrorIs(t, err, sale.ErrForeign)
	require.ErrorContains(t, err, meta)
	_, err = w.redis.Probe(ctx, []sale.BucketRow{w.db.Row(b)})
	require.ErrorIs(t, err, sale.ErrForeign)
	require.ErrorContains(t, err, meta)
}
