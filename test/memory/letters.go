package memory

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"

	"flashsale/ledger"
	"flashsale/sale"
)

// maxDetail bounds the detail of a dead letter, in bytes.
const maxDetail = 1000

// AddDeadLetter keeps a record that cannot settle. The same record again changes nothing; another record of the same id is
// kept under the id followed by a hash of its bytes.
func (d *Database) AddDeadLetter(ctx context.Context, letter sale.DeadLetter) error {
	return d.run(ctx, "AddDeadLetter", func() error {
		present := d.t.Letters[letter.ID]
		if present != nil && string(present.Raw) != string(letter.Raw) {
			h := fnv.New64a()
			_, _ = h.Write(letter.Raw) // hash.Hash documents that Write never fails
			letter.ID = fmt.Sprintf("%d-%d-%016x", letter.Partition, letter.Offset, h.Sum64())
			present = d.t.Letters[letter.ID]
		}
		if present != nil {
			return nil
		}
		kept := sale.DeadLetter{
			ID: letter.ID, Reason: letter.Reason, Detail: cut(letter.Detail, maxDetail), State: sale.DeadLetterWaiting,
			Partition: letter.Partition, Offset: letter.Offset, Raw: append([]byte{}, letter.Raw...),
		}
		if record, err := sale.DecodeRecord(letter.Raw); err == nil && record.Batch != nil {
			kept.Batch, kept.Orders = record.Batch, record.Batch.Orders
		}
		d.t.Letters[letter.ID] = &kept
		return nil
	})
}

// cut makes text valid UTF-8 of at most n bytes.
func cut(text string, n int) string {
	text = strings.ToValidUTF8(text, "?")
	return strings.ToValidUTF8(text[:min(n, len(text))], "")
}

// DeadLetters returns a page of the dead letters, in the order of state, partition, offset and id.
func (d *Database) DeadLetters(ctx context.Context, q *sale.LetterQuery) (sale.LetterPage, error) {
	return call(ctx, d, "DeadLetters", func() (page sale.LetterPage, err error) {
		for letter := range maps.Values(d.t.Letters) {
			after := q.After == nil || compareLetters(letter.Position(), *q.After) > 0
			if after && (q.State == "" || letter.State == q.State) {
				page.Letters = append(page.Letters, *letter)
			}
		}
		slices.SortFunc(page.Letters, func(a, b sale.DeadLetter) int { return compareLetters(a.Position(), b.Position()) })
		if len(page.Letters) > q.Limit {
			page.Letters = page.Letters[:q.Limit]
			last := page.Letters[q.Limit-1].Position()
			page.Next = &last
		}
		return page, nil
	})
}

func compareLetters(a, b sale.LetterPosition) int {
	return cmp.Or(cmp.Compare(a.State, b.State), cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset),
		cmp.Compare(a.ID, b.ID))
}

// DeadLetter returns a dead letter in any state.
func (d *Database) DeadLetter(ctx context.Context, id string) (sale.DeadLetter, error) {
	return call(ctx, d, "DeadLetter", func() (sale.DeadLetter, error) {
		letter, err := d.t.letter(id)
		if err != nil {
			return sale.DeadLetter{}, err
		}
		return *letter, nil
	})
}

func (t *Tables) letter(id string) (*sale.DeadLetter, error) {
	letter := t.Letters[id]
	if letter == nil {
		return nil, fmt.Errorf("dead letter %s: %w", id, sale.ErrNotFound)
	}
	return letter, nil
}

// MarkReplayed notes that a waiting dead letter has settled.
func (d *Database) MarkReplayed(ctx context.Context, id string) error {
	return d.run(ctx, "MarkReplayed", func() error {
		letter, err := d.t.letter(id)
		if err == nil && letter.State == sale.DeadLetterWaiting {
			letter.State = sale.DeadLetterReplayed
		}
		return err
	})
}

// RefuseDeadLetter ends the orders of a waiting dead letter as refused. A letter whose record has settled meanwhile becomes
// replayed.
func (d *Database) RefuseDeadLetter(ctx context.Context, id string) error {
	return d.run(ctx, "RefuseDeadLetter", func() error {
		letter, err := d.t.letter(id)
		if err != nil || letter.State != sale.DeadLetterWaiting {
			return err
		}
		letter.State = sale.DeadLetterRefused
		record, undecodable := sale.DecodeRecord(letter.Raw)
		if undecodable == nil && (record.Batch != nil || record.Transfer != nil) && d.refuse(record) {
			letter.State = sale.DeadLetterReplayed
		}
		return nil
	})
}

// refuse ends what a record carries. It reports true, and does nothing, where the record has been settled.
func (d *Database) refuse(record sale.Record) (settled bool) {
	var bucket sale.Bucket
	if record.Batch != nil {
		bucket = record.Batch.Bucket
	} else {
		bucket = record.Transfer.Bucket
	}
	state := d.locked([]sale.Bucket{bucket}, true)
	if state.Buckets[bucket] == nil { // there is no stock to give back and no currency to write
		unknown := &ledger.Row{}
		unknown.BucketRow = sale.BucketRow{Bucket: bucket, Epoch: -1, State: sale.BucketClosed}
		state.Buckets[bucket] = unknown
	}
	d.t.readRecords(state, []sale.Record{record})
	plan := ledger.NewPlan(state)
	switch {
	case record.Batch != nil && state.SettledBatch(record.Batch):
		return true
	case record.Batch != nil:
		plan.Refuse(record.Batch)
	case state.Settled(ledger.MarkOfTransfer(record.Transfer)):
		return true
	default:
		plan.RefuseTransfer(record.Transfer)
	}
	d.write(plan)
	d.closePlanned(plan)
	return false
}
