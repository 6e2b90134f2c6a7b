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
	sqlHeadway      = "SELECT partition_id, next_offset, orders FROM positions"
	sqlMovePosition = "UPDATE positions SET next_offset = ?, orders = orders + ? " +
		"WHERE partition_id = ? AND topic_id = ? AND next_offset >= ? AND next_offset < ?"
	sqlPosition    = "SELECT topic_id, next_offset FROM positions WHERE partition_id = ?"
	sqlAddPosition = "INSERT INTO positions (partition_id, topic_id, next_offset, orders) VALUES (?, ?, ?, ?)"
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

// Headway returns the progress of settlement in every partition, with the orders that it has counted, sorted.
func (s *Store) Headway(ctx context.Context) ([]sale.Headway, error) {
	var all []sale.Headway
	err := each(ctx, s.db, sqlHeadway+" ORDER BY partition_id", nil, func(rows scanner) error {
		var h sale.Headway
		err := rows.Scan(&h.Partition, &h.Next, &h.Orders)
		all = append(all, h)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the headway of settlement: %w", err)
	}
	return all, nil
}

// move is a move of a position past records with so many orders.
type move struct {
	sale.Position
	orders  int64
	follows int64 // what the first of the records follows
}

// positionsAfter returns the position after the last delivery of each partition, sorted by partition. It skips a replayed
// dead letter, which has no topic.
func positionsAfter(deliveries []sale.Delivery) []move {
	var positions []move
	for i := range deliveries {
		d := &deliveries[i]
		if d.TopicID == "" {
			continue
		}
		at := slices.IndexFunc(positions, func(p move) bool { return p.Partition == d.Partition && p.TopicID == d.TopicID })
		if at < 0 {
			at = len(positions)
			positions = append(positions, move{
				Position: sale.Position{Partition: d.Partition, TopicID: d.TopicID}, follows: d.Follows,
			})
		}
		positions[at].Next = max(positions[at].Next, d.Offset+1)
		if d.Record.Batch != nil {
			positions[at].orders += int64(len(d.Record.Batch.Orders))
		}
	}
	slices.SortFunc(positions, func(a, b move) int { return cmp.Compare(a.Partition, b.Partition) })
	return positions
}

// writePositions moves positions forward. A position that is further already, as with records delivered again, stays. A
// position in another topic is an error, because its offsets belong to that topic, and so is one before what the records follow:
// the rows between are lost, and to move past them would lose them for good.
func (s *Store) writePositions(ctx context.Context, tx *sql.Tx, positions []move) error {
	for _, p := range positions {
		result, err := tx.ExecContext(ctx, sqlMovePosition, p.Next, p.orders, p.Partition, p.TopicID, p.follows, p.Next)
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

func (s *Store) addPosition(ctx context.Context, tx *sql.Tx, p move) error {
	var topic string
	var next int64
	err := tx.QueryRowContext(ctx, sqlPosition, p.Partition).Scan(&topic, &next)
	switch {
	case isNoRows(err) && p.follows > 0:
		return sale.LostTail(0, p.follows)
	case isNoRows(err):
		_, err = tx.ExecContext(ctx, sqlAddPosition, p.Partition, p.TopicID, p.Next, p.orders)
		if s.dialect.fault(err) == faultDuplicate {
			return fmt.Errorf("%w: %w", errStartOver, err)
		}
		return err
	case err == nil && topic != p.TopicID:
		return fmt.Errorf("%w: the database has settled from topic %s, these records are from topic %s",
			sale.ErrBehind, topic, p.TopicID)
	case err == nil && next < p.follows:
		return sale.LostTail(next, p.follows)
	}
	return err
}
