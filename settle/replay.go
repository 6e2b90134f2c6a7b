package settle

import (
	"context"
	"errors"
	"fmt"

	"flashsale/faults"
	"flashsale/role"
	"flashsale/sale"
)

// Replay settles a waiting dead letter again for an operator, and reports whether that changed anything: a letter that
// was replayed or refused before is unchanged. The orders of an epoch that is over become refused, like those of any
// late batch. The position of the partition is unchanged. The error is a *sale.PoisonError when the record still cannot
// settle, and sale.ErrNotFound when there is no such letter.
//
// When the process is killed between the two steps, Replay may be called again: because of the markers the second
// settlement writes nothing.
func Replay(ctx context.Context, letters Letters, id string) (changed bool, err error) {
	letter, err := letters.DeadLetter(ctx, id)
	if err != nil {
		return false, err // the error names the letter, as every error of Letters but Settle's does
	}
	if letter.State != sale.DeadLetterWaiting {
		return false, nil
	}
	delivery := sale.Delivery{Partition: letter.Partition, Offset: letter.Offset, Raw: letter.Raw}
	if delivery.Record, err = sale.DecodeRecord(letter.Raw); err != nil {
		return false, fmt.Errorf("replay dead letter %s: %w", id, &sale.PoisonError{Reason: sale.PoisonDecode, Err: err})
	}
	if err := replayUntilDone(ctx, letters, delivery); err != nil {
		return false, fmt.Errorf("replay dead letter %s: %w", id, err)
	}
	faults.Point("settle.replayed")
	if err := letters.MarkReplayed(ctx, id); err != nil {
		return false, err
	}
	return true, nil
}

// replayTries bounds the attempts of a command: the operator can repeat it.
const replayTries = 5

func replayUntilDone(ctx context.Context, letters Letters, delivery sale.Delivery) (err error) {
	attempts := 0
	role.Until(ctx, role.Backoff, func() (done bool) {
		attempts++
		var poison *sale.PoisonError
		_, err = letters.Settle(ctx, []sale.Delivery{delivery})
		return err == nil || errors.As(err, &poison) || attempts == replayTries
	})
	return err
}

// Refuse ends a waiting dead letter permanently: its orders become refused and their units return to the sale. It
// reports whether that changed anything: a letter that was replayed or refused before is unchanged.
func Refuse(ctx context.Context, letters Letters, id string) (changed bool, err error) {
	letter, err := letters.DeadLetter(ctx, id)
	if err != nil {
		return false, err
	}
	if letter.State != sale.DeadLetterWaiting {
		return false, nil
	}
	if err := letters.RefuseDeadLetter(ctx, id); err != nil {
		return false, err
	}
	return true, nil
}
