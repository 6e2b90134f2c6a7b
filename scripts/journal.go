package scripts

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/rueidis"

	"flashsale/sale"
)

const (
	journalHead      = "h" // the record's first line, where the script does not write the record in one piece
	journalField     = "r"
	JournalBeginning = "-"
)

// journalEntry is one batch or transfer that Redis does not know to be in Kafka.
type JournalEntry struct {
	ID        string
	Record    []byte
	orders    int   // in the record, 1 for a transfer; 0 when it cannot be decoded
	CreatedMS int64 // of the record; 0 when it cannot be decoded: old enough for everybody
}

// journalFrom reads a page of a bucket's journal, beginning at an id, "-" for the first.
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

// newJournalEntry reads the record. One that cannot be decoded is published like any other: settlement keeps it as a
// dead letter with its reason.
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

// journaledRecord returns the bytes of the record that an entry holds.
func journaledRecord(x rueidis.XRangeEntry) []byte {
	return []byte(x.FieldValues[journalHead] + x.FieldValues[journalField])
}

// afterEntry returns the lowest id above an entry's.
func AfterEntry(id string) (string, error) {
	life, batch, ok := strings.Cut(id, "-")
	n, err := strconv.ParseUint(batch, 10, 64)
	if !ok || err != nil {
		return "", fmt.Errorf("journal entry id %q: want two numbers", id)
	}
	return life + "-" + strconv.FormatUint(n+1, 10), nil
}

// trimEntries deletes exactly these entries.
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

// journalCount is what a bucket's meta hash says of its journal.
type journalCount struct {
	Orders        int64 // in the journal
	WindowVersion int64 // version of the sale's window that the bucket has
}

// journalCounts reads the counts of buckets, in their order. A bucket that Redis does not know counts 0.
func (r *Redis) JournalCounts(ctx context.Context, buckets []sale.Bucket) ([]journalCount, error) {
	counts := make([]journalCount, len(buckets))
	err := r.pipeline(ctx, len(buckets), func(c rueidis.Client, i int) rueidis.Completed {
		return c.B().Hmget().Key(r.Keys(buckets[i]).Meta).Field("journaled", "version").Build()
	}, func(i int, result rueidis.RedisResult) error {
		values, err := result.ToArray()
		if err != nil {
			return err
		}
		fields := fieldReader{values: values}
		counts[i] = journalCount{Orders: fields.number(0), WindowVersion: fields.number(1)}
		return fields.err
	})
	return counts, err
}

// entryID is the journal's name for a batch: epoch, sequence and batch id, so that it is the identity and rises.
func EntryID(epoch, sequence int64, batchID sale.OrderID) string {
	return fmt.Sprintf("%d%010d-%d", epoch, sequence, batchID)
}
