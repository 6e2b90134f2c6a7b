package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"

	"flashsale/sale"
)

const (
	sqlPositions    = "SELECT partition_id, topic_id, next_offset FROM positions"
	sqlMovePosition = "UPDATE positions SET next_offset = ? WHERE partition_id = ? AND topic_id = ? AND next_offset < ?"
	sqlPosition     = "SELECT topic_id FROM positions WHERE partition_id = ?"
	sqlAddPosition  = "INSERT INTO positions (partition_id, topic_id, next_offset) VALUES (?, ?, ?)"
)

// Positions returns the progress of settlement in every partition from which it has settled, sorted.
func (s *Store) Positions(ctx context.Context) ([]sale.Position, error) {
	var positions []sale.Position
	err := each(ctx, s.db, sqlPositions+" ORDER BY partition_id", nil, func(rows scanner) error {
		var p sale.Position
		err := rows.Scan(&p.Partition, &p.TopicID, &p.Next)
		positions = append(positions, p)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read positions: %w", err)
	}
	return positions, nil
}

// positionsAfter returns the position after the last delivery of each partition, sorted by partition. It skips a replayed
// dead letter, which has no topic.
func positionsAfter(deliveries []sale.Delivery) []sale.Position {
	var positions []sale.Position
	for i := range deliveries {
		d := &deliveries[i]
		if d.TopicID == "" {
			continue
		}
		next := sale.Position{Partition: d.Partition, TopicID: d.TopicID, Next: d.Offset + 1}
		at := slices.IndexFunc(positions, func(p sale.Position) bool {
			return p.Partition == d.Partition &&
				p.TopicID == d.TopicID
		})
		if at < 0 {
			positions = append(positions, next)
		} else {
			positions[at].Next = max(positions[at].Next, next.Next)
		}
	}
	slices.SortFunc(positions, func(a, b sale.Position) int { return cmp.Compare(a.Partition, b.Partition) })
	return positions
}

// writePositions moves positions forward. A position that is further already, as with records delivered again, stays. A
// position in another topic is an error, because its offsets belong to that topic.
func (s *Store) writePositions(ctx context.Context, tx *sql.Tx, positions []sale.Position) error {
	for _, p := range positions {
		result, err := tx.ExecContext(ctx, sqlMovePosition, p.Next, p.Partition, p.TopicID, p.Next)
		if err != nil {
			return err
		}
		moved, err := result.RowsAffected()
		if err == nil && moved == 0 {
			err = s.addPosition(ctx, tx, p)
		}
		if err != nil {
			return fmt.Errorf("position in partition %d: %w", p.Partition, err)
		}
	}
	return nil
}

func (s *Store) addPosition(ctx context.Context, tx *sql.Tx, p sale.Position) error {
	var topic string
	err := tx.QueryRowContext(ctx, sqlPosition, p.Partition).Scan(&topic)
	switch {
	case isNoRows(err):
		_, err = tx.ExecContext(ctx, sqlAddPosition, p.Partition, p.TopicID, p.Next)
		if s.dialect.fault(err) == faultDuplicate {
			return fmt.Errorf("%w: %w", errStartOver, err)
		}
		return err
	case err == nil && topic != p.TopicID:
		return fmt.Errorf("%w: the database has settled from topic %s, these records are from topic %s",
			sale.ErrBehind, topic, p.TopicID)
	}
	return err
}
