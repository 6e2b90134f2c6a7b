package recovery

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"

	"flashsale/faults"
	"flashsale/role"
	"flashsale/sale"
)

// passFences writes one fence record into each partition and waits until settlement has committed beyond all of them: then the
// database has every record before the fences. A fence has no other effect.
func (b *Rebuilder) passFences(ctx context.Context, partitions map[int32]sale.Bucket) error {
	if len(partitions) == 0 {
		return nil
	}
	tokens := make([]string, 0, len(partitions))
	for partition, bucket := range partitions {
		token := "f" + hex.EncodeToString(randomBytes())
		record := sale.AppendFence(nil, token)
		if err := publishAndWait(ctx, b.publisher, partition, []byte(bucket.String()), record); err != nil {
			return fmt.Errorf("write a fence: %w", err)
		}
		faults.Point("rebuild.fence-written")
		tokens = append(tokens, token)
	}
	var err error
	ended := role.Until(ctx, role.Always(fencePoll), func() (passed bool) {
		passed, err = b.buckets.FencesPassed(ctx, tokens)
		return passed || err != nil
	})
	switch {
	case err != nil:
		return fmt.Errorf("ask for the fences: %w", err)
	case !ended:
		return sale.Away(sale.StoreSettlement, fmt.Errorf("wait for settlement to pass %d fences: %w", len(tokens), ctx.Err()))
	}
	faults.Point("rebuild.fence-passed")
	return nil
}

func randomBytes() []byte {
	token := make([]byte, 12)
	_, _ = rand.Read(token) // crypto/rand never fails: it ends the process instead
	return token
}
