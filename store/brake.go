package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"flashsale/sale"
)

// The brake ends by the database's clock, so that the clocks of its holder and of the gateways do not matter.

const sqlBrake = "SELECT since, reason, per_second, per_gateway, until_ms - %s, version FROM brake WHERE id = 1"

const sqlPutBrake = "UPDATE brake SET since = ?, reason = ?, per_second = ?, per_gateway = ?, until_ms = %s + ?, version = ? " +
	"WHERE id = 1"

const sqlNow = "SELECT %s"

// Brake returns the brake of purchases, nil while there is none or after it ran out.
func (s *Store) Brake(ctx context.Context) (*sale.Brake, error) {
	present, _, err := s.readBrake(ctx, s.db, "")
	if err != nil || !present.On() {
		return nil, err
	}
	return &present, nil
}

// SetBrake begins the brake, or changes and renews it, so that it ends after lasting unless it is renewed before; nil ends it.
// Since stays that of its begin. The trail gets the begin, the end and a new reason, not each new rate.
func (s *Store) SetBrake(ctx context.Context, next *sale.Brake, lasting time.Duration) error {
	err := s.transact(ctx, func(tx *sql.Tx) error {
		present, _, err := s.readBrake(ctx, tx, s.dialect.lock)
		if err != nil || next == nil && present.PerSecond == 0 {
			return err
		}
		wanted := sale.Brake{Since: present.Since}
		if next != nil {
			wanted.Reason, wanted.PerSecond, wanted.PerGateway = next.Reason, next.PerSecond, next.PerGateway
		}
		if next != nil && !present.On() {
			var now moment
			if err := tx.QueryRowContext(ctx, fmt.Sprintf(sqlNow, s.dialect.now)).Scan(&now); err != nil {
				return err
			}
			wanted.Since = now.Time
		}
		if !present.On() || next == nil || present.Reason != wanted.Reason {
			if err := s.note(ctx, tx, changeOfBrake(&present, &wanted)); err != nil {
				return err
			}
		}
		return s.putBrake(ctx, tx, &wanted, lasting)
	})
	if err != nil {
		return fmt.Errorf("set the brake of purchases: %w", err)
	}
	return nil
}

func (s *Store) putBrake(ctx context.Context, tx *sql.Tx, b *sale.Brake, lasting time.Duration) error {
	version, err := nextVersion(ctx, tx)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, fmt.Sprintf(sqlPutBrake, s.dialect.nowMS), moment{b.Since}, string(b.Reason), b.PerSecond,
		b.PerGateway, lasting.Milliseconds(), version)
	return err
}

// brakeNote is a brake in the trail.
type brakeNote struct {
	PerSecond int64            `json:"per_second"`
	Reason    sale.BrakeReason `json:"reason"`
}

func changeOfBrake(before, after *sale.Brake) sale.Change {
	return sale.Change{Verb: sale.VerbBrake, Target: sale.TargetRules, Before: noteOf(before), After: noteOf(after)}
}

// noteOf returns nil, which the trail has as null, for no brake.
func noteOf(b *sale.Brake) any {
	if b.PerSecond == 0 {
		return nil
	}
	return brakeNote{b.PerSecond, b.Reason}
}

// readBrake returns the brake, also one that ran out, and the catalogue version of its last change.
func (s *Store) readBrake(ctx context.Context, q querier, lock string) (b sale.Brake, version int64, err error) {
	var since moment
	var leftMS int64
	row := q.QueryRowContext(ctx, fmt.Sprintf(sqlBrake, s.dialect.nowMS)+lock)
	if err := row.Scan(&since, &b.Reason, &b.PerSecond, &b.PerGateway, &leftMS, &version); err != nil {
		return sale.Brake{}, 0, fmt.Errorf("read the brake: %w", err)
	}
	b.Since, b.Left = since.Time, time.Duration(leftMS)*time.Millisecond
	return b, version, nil
}

// changedBrake reads the brake for the catalogue. One that never was on has version 0.
func (s *Store) changedBrake(ctx context.Context, since int64, changes *sale.Changes) error {
	b, version, err := s.readBrake(ctx, s.db, "")
	if err == nil && version > since {
		changes.Brake = &b
	}
	return err
}
