package settle

import (
	"context"
	"errors"
	"fmt"

	"flashsale/faults"
	"flashsale/role"
	"flashsale/sale"
)

// Replay settles a waiting dead letter again, as the operator asks for it, and reports whether that changed anything: a
// letter that was replayed or refused before stays as it is. The orders of an epoch that is over become refused, like those
// of any late batch. The position of the partition stays where it is. The error is a *sale.PoisonError when the record still
// cannot settle, and sale.ErrNotFound when there is no such letter.
//
// Killed between the two steps it may be called again: the markers keep the second settlement from writing anything.
func Replay(ctx context.Context, letters Letters, id string) (changed bool, err error) {
	letter, err := letters.DeadLetter(ctx, id)
	if err != nil {
		return false, err // says which letter, as every error of Letters but Settle's does
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

// replayTries bounds the attempts of a command: an operator is there to repeat it.
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

// Refuse ends a waiting dead letter for good: its orders become refused and their units go back on sale. It reports
// whether that changed anything: a letter that was replayed or refused before stays as it is.
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
