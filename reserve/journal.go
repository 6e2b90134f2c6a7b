package reserve

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/redis/rueidis"

	"flashsale/faults"
	"flashsale/sale"
	"flashsale/scripts"
)

const (
	journalPage      = 64  // entries read, and under way to Kafka, at once
	journalHead      = "h" // the record's first line, where the script does not write the record in one piece
	journalField     = "r"
	journalBeginning = "-"
	wholeJournal     = math.MaxInt64 // created before this: all of it
)

// journalEntry is one batch or transfer that Redis does not know to be in Kafka.
type journalEntry struct {
	id        string
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
	entry := journalEntry{id: x.ID, record: journaledRecord(x)}
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

// journaledBucket is a bucket whose journal is published by the relay or by a rebuild.
type journaledBucket struct {
	bucket    sale.Bucket
	partition int32
	keys      bucketKeys
	epoch     int64
}

func (r *Redis) journaledBucket(row sale.BucketRow) journaledBucket {
	return journaledBucket{bucket: row.Bucket, partition: row.Partition, keys: r.keys(row.Bucket), epoch: row.Epoch}
}

// publishJournal publishes the entries of a bucket's journal that were created at or before a moment, and trims each one
// that Kafka has acknowledged. It returns how many.
func (r *Redis) publishJournal(ctx context.Context, p Publisher, b journaledBucket, createdBeforeMS int64) (int, error) {
	published := 0
	for from := journalBeginning; ; {
		page, err := r.journalFrom(ctx, b.keys, from, journalPage)
		if err != nil || len(page) == 0 {
			return published, err
		}
		due := page[:0:0]
		for _, entry := range page {
			if entry.createdMS <= createdBeforeMS {
				due = append(due, entry)
			}
		}
		if err := publishEntries(ctx, p, b, due); err != nil {
			return published, err
		}
		faults.Point("relay.published")
		if err := r.trimEntries(ctx, b.keys, due); err != nil {
			return published, err
		}
		faults.Point("relay.trimmed")
		published += len(due)
		if from, err = afterEntry(page[len(page)-1].id); err != nil {
			return published, err
		}
	}
}

// publishEntries publishes a page, all entries at once, and waits until every one is acknowledged.
func publishEntries(ctx context.Context, p Publisher, b journaledBucket, entries []journalEntry) error {
	key := []byte(b.bucket.String())
	results := make(chan error, len(entries))
	for _, entry := range entries {
		go func() { results <- publishAndWait(ctx, p, b.partition, key, entry.record) }()
	}
	var failed error
	for range entries {
		if err := <-results; err != nil {
			failed = err
			continue
		}
		faults.Point("relay.entry-acknowledged")
	}
	return failed
}

// trimEntries deletes exactly these entries.
func (r *Redis) trimEntries(ctx context.Context, keys bucketKeys, entries []journalEntry) error {
	if len(entries) == 0 {
		return nil
	}
	trims := make([]trim, len(entries))
	for i, entry := range entries {
		trims[i] = trim{entryID: entry.id, orders: entry.orders}
	}
	return r.runScripts(ctx, scripts.Trim(), []scriptCall{trimCall(keys, trims)}, nil)
}
