package reserve

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
	journalBeginning = "-"
)

// journalEntry is one batch or transfer that Redis does not know to be in Kafka.
type journalEntry struct {
	ID        string
	record    []byte
	orders    int   // in the record, 1 for a transfer; 0 when it cannot be decoded
	createdMS int64 // of the record; 0 when it cannot be decoded: old enough for everybody
}

// journalFrom reads a page of a bucket's journal, beginning at an id, "-" for the first.
func (r *Redis) journalFrom(ctx context.Context, keys bucketKeys, from string, count int64) ([]journalEntry, error) {
	found, err := r.do(ctx, func(c rueidis.Client) rueidis.Completed {
		return c.B().Xrange().Key(keys.journal).Start(from).End("+").Count(count).Build()
	}).AsXRange()
	if err != nil {
		return nil, fmt.Errorf("read journal %s: %w", keys.journal, foreignKind("key "+keys.journal, err))
	}
	entries := make([]journalEntry, len(found))
	for i, x := range found {
		entries[i] = newJournalEntry(x)
	}
	return entries, nil
}

// newJournalEntry reads the record. One that cannot be decoded is published like any other: settlement keeps it as a
// dead letter with its reason.
func newJournalEntry(x rueidis.XRangeEntry) journalEntry {
	entry := journalEntry{ID: x.ID, record: journaledRecord(x)}
	record, err := sale.DecodeRecord(entry.record)
	switch {
	case err != nil:
	case record.Batch != nil:
		entry.orders, entry.createdMS = len(record.Batch.Orders), record.Batch.CreatedMS
	case record.Transfer != nil:
		entry.orders, entry.createdMS = 1, record.Transfer.CreatedMS
	}
	return entry
}

// journaledRecord returns the bytes of the record that an entry holds.
func journaledRecord(x rueidis.XRangeEntry) []byte {
	return []byte(x.FieldValues[journalHead] + x.FieldValues[journalField])
}

// afterEntry returns the lowest id above an entry's.
func afterEntry(id string) (string, error) {
	life, batch, ok := strings.Cut(id, "-")
	n, err := strconv.ParseUint(batch, 10, 64)
	if !ok || err != nil {
		return "", fmt.Errorf("journal entry id %q: want two numbers", id)
	}
	return life + "-" + strconv.FormatUint(n+1, 10), nil
}

// trimEntries deletes exactly these entries.
func (r *Redis) trimEntries(ctx context.Context, keys bucketKeys, entries []journalEntry) error {
	if len(entries) == 0 {
		return nil
	}
	trims := make([]trim, len(entries))
	for i, entry := range entries {
		trims[i] = trim{entryID: entry.ID, orders: entry.orders}
	}
	return r.trim(ctx, []trimCall{{keys, trims}})
}

// journalCount is what a bucket's meta hash says of its journal.
type journalCount struct {
	orders        int64 // in the journal
	windowVersion int64 // version of the sale's window that the bucket has
}

// journalCounts reads the counts of buckets, in their order. A bucket that Redis does not know counts 0.
func (r *Redis) journalCounts(ctx context.Context, buckets []sale.Bucket) ([]journalCount, error) {
	counts := make([]journalCount, len(buckets))
	err := r.pipeline(ctx, len(buckets), func(c rueidis.Client, i int) rueidis.Completed {
		return c.B().Hmget().Key(r.keys(buckets[i]).meta).Field("held", "version").Build()
	}, func(i int, result rueidis.RedisResult) error {
		values, err := result.ToArray()
		if err != nil {
			return err
		}
		fields := fieldReader{values: values}
		counts[i] = journalCount{orders: fields.number(0), windowVersion: fields.number(1)}
		return fields.err
	})
	return counts, err
}

// entryID is the journal's name for a batch: epoch, sequence and batch id, so that it is the identity and rises.
func entryID(epoch, sequence int64, batchID sale.OrderID) string {
	return fmt.Sprintf("%d%010d-%d", epoch, sequence, batchID)
}
