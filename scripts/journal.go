package scripts

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/rueidis"

	"flashsale/sale"
)

// Fields of a journal entry.
const (
	journalHead  = "h" // the record's first line, when the script does not write the record in one piece
	journalField = "r" // the rest of the record, or all of it
)

// JournalBeginning is the id from which JournalFrom reads a journal's first page.
const JournalBeginning = "-"

// JournalEntry is one batch or transfer that Redis does not know to be in Kafka.
type JournalEntry struct {
	ID        string
	Record    []byte
	orders    int   // in the record, 1 for a transfer; 0 when it cannot be decoded
	CreatedMS int64 // of the record; 0 when it cannot be decoded: older than every deadline
}

// JournalFrom reads at most count entries of a bucket's journal, from an id on.
func (r *Redis) JournalFrom(ctx context.Context, keys BucketKeys, from string, count int64) ([]JournalEntry, error) {
	found, err := r.do(ctx, func(c rueidis.Client) rueidis.Completed {
		return c.B().Xrange().Key(keys.Journal).Start(from).End("+").Count(count).Build()
	}).AsXRange()
	if err != nil {
		return nil, fmt.Errorf("read journal %s: %w", keys.Journal, foreignKind("key "+keys.Journal, err))
	}
	entries := make([]JournalEntry, len(found))
	for i, x := range found {
		entries[i] = newJournalEntry(x)
	}
	return entries, nil
}

// newJournalEntry decodes the record of an entry. The relay publishes a record that cannot be decoded like any other:
// settlement keeps it as a dead letter with its reason.
func newJournalEntry(x rueidis.XRangeEntry) JournalEntry {
	entry := JournalEntry{ID: x.ID, Record: journaledRecord(x)}
	record, err := sale.DecodeRecord(entry.Record)
	switch {
	case err != nil:
	case record.Batch != nil:
		entry.orders, entry.CreatedMS = len(record.Batch.Orders), record.Batch.CreatedMS
	case record.Transfer != nil:
		entry.orders, entry.CreatedMS = 1, record.Transfer.CreatedMS
	}
	return entry
}

// journaledRecord returns the bytes of an entry's record.
func journaledRecord(x rueidis.XRangeEntry) []byte {
	return []byte(x.FieldValues[journalHead] + x.FieldValues[journalField])
}

// AfterEntry returns the lowest id above an entry's. It returns an error for a text that is not the id of an entry.
func AfterEntry(id string) (string, error) {
	life, batch, ok := strings.Cut(id, "-")
	n, err := strconv.ParseUint(batch, 10, 64)
	if !ok || err != nil {
		return "", fmt.Errorf("journal entry id %q: want two numbers", id)
	}
	return life + "-" + strconv.FormatUint(n+1, 10), nil
}

// TrimEntries deletes exactly these entries.
func (r *Redis) TrimEntries(ctx context.Context, keys BucketKeys, entries []JournalEntry) error {
	if len(entries) == 0 {
		return nil
	}
	trims := make([]Trim, len(entries))
	for i, entry := range entries {
		trims[i] = Trim{EntryID: entry.ID, Orders: entry.orders}
	}
	return r.Trim(ctx, []TrimCall{{keys, trims}})
}

// JournalCount is what a bucket's meta hash has of its journal.
type JournalCount struct {
	Orders        int64 // in the journal
	WindowVersion int64 // version of the sale's window that the bucket has
}

// JournalCounts reads the counts of buckets, in their order. A bucket that Redis does not know counts 0.
func (r *Redis) JournalCounts(ctx context.Context, buckets []sale.Bucket) ([]JournalCount, error) {
	counts := make([]JournalCount, len(buckets))
	err := r.pipeline(ctx, len(buckets), func(c rueidis.Client, i int) rueidis.Completed {
		return c.B().Hmget().Key(r.Keys(buckets[i]).Meta).Field("held", "version").Build()
	}, func(i int, result rueidis.RedisResult) error {
		values, err := result.ToArray()
		if err != nil {
			return err
		}
		fields := fieldReader{values: values}
		counts[i] = JournalCount{Orders: fields.number(0), WindowVersion: fields.number(1)}
		return fields.err
	})
	return counts, err
}

// EntryID returns the id of a batch's journal entry: epoch, sequence and batch id. It identifies the batch, and later batches
// of the bucket have greater ids.
func EntryID(epoch, sequence int64, batchID sale.OrderID) string {
	return fmt.Sprintf("%d%010d-%d", epoch, sequence, batchID)
}

// WriteID identifies one write of a script to a bucket: the epoch of the write, and its sequence number in that epoch.
type WriteID struct{ Epoch, Sequence int64 }
