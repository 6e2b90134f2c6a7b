package recovery

import (
	"context"
	"fmt"

	"flashsale/faults"
	"flashsale/sale"
	"flashsale/scripts"
)

// verify is step (g). It asks the reserve script itself, by a call without purchases, whether it would sell in the new epoch:
// one atomic step proves that the script is loaded and that epoch, state and replication id are right. On a server that lacks
// the script verify loads it, one server after the other, and asks again.
func (b *Rebuilder) verify(ctx context.Context, loads []sale.Load) (good, again []sale.BucketRow, err error) {
	rows := make([]sale.BucketRow, len(loads))
	for i, load := range loads {
		rows[i] = load.BucketRow
	}
	for server := 0; len(rows) > 0; server++ { // rule: verify
		if server == maxServers {
			return good, append(again, rows...), nil
		}
		probed, err := b.redis.Probe(ctx, rows)
		if err != nil {
			return nil, nil, err
		}
		var missing []sale.BucketRow
		for i, doubt := range probed {
			switch doubt {
			case "":
				good = append(good, rows[i])
			case scripts.DetailNoScript:
				missing = append(missing, rows[i])
			default:
				again = append(again, rows[i])
			}
		}
		if len(missing) > 0 {
			if err := b.install(ctx, missing[0].Bucket); err != nil {
				return nil, nil, err
			}
		}
		rows = missing
	}
	return good, again, nil
}

// install loads the fenced scripts on the server of a bucket. A server without them may have lost writes of all its buckets,
// and with the scripts these would sell again as if nothing had happened. So install closes them first (rule: others-closed).
func (b *Rebuilder) install(ctx context.Context, at sale.Bucket) error {
	return b.redis.InstallFenced(ctx, at, func() error { return b.closeOthers(ctx) })
}

// closeOthers closes the buckets in doubt, in the database and in Redis too, because a gateway learns of the database's change
// later. A bucket that is loading is left to its own rebuild, which verifies it: only its earlier epochs are closed.
func (b *Rebuilder) closeOthers(ctx context.Context) error {
	changes, err := b.buckets.Changes(ctx, 0)
	if err != nil {
		return fmt.Errorf("look for other buckets in doubt: %w", err)
	}
	var others, past []sale.BucketRow
	for _, row := range changes.Buckets {
		if row.State == sale.BucketLoading {
			row.Epoch--
			past = append(past, row)
		} else {
			others = append(others, row)
		}
	}
	doubted, _, err := b.redis.Doubted(ctx, others)
	if err != nil {
		return fmt.Errorf("look for other buckets in doubt: %w", err)
	}
	if len(doubted) > 0 {
		if _, err := b.buckets.CloseBuckets(ctx, doubted); err != nil {
			return fmt.Errorf("close %d other buckets in doubt: %w", len(doubted), err)
		}
	}
	faults.Point("rebuild.others-closed")
	if _, _, err := b.redis.CloseBuckets(ctx, append(doubted, past...)); err != nil { // a later epoch is another rebuild's
		return fmt.Errorf("close %d other buckets in doubt: %w", len(doubted), err)
	}
	return nil
}
