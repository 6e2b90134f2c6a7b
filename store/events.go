package store

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"flashsale/faults"
	"flashsale/sale"
)

const (
	sqlInsertEvents = "INSERT INTO events (status, at, order_ids) VALUES "
	eventRow        = "(?,?,?)"
	sqlEvents       = "SELECT event_id, status, at, order_ids FROM events ORDER BY event_id LIMIT ?"
	sqlForgetEvents = "DELETE FROM events WHERE event_id IN ("
)

const (
	maxEventOrders = 1000 // orders of one event row
	maxEventRows   = 100  // event rows of one answer
)

// event is a row of the events table.
type event struct {
	id     int64
	status sale.OrderStatus
	at     moment
	orders []sale.OrderID
}

// writeEvents writes the new statuses of orders as events, in the transaction that changes the orders. The events of an order
// have rising ids, because the next change of the order waits for this commit.
func writeEvents(ctx context.Context, tx *sql.Tx, nowMS int64, orders map[sale.OrderStatus][]sale.OrderID) error {
	var events []event
	for _, status := range []sale.OrderStatus{
		sale.StatusConfirmed, sale.StatusRefused, sale.StatusPaid, sale.StatusCancelled, sale.StatusExpired,
	} {
		for page := range slices.Chunk(orders[status], maxEventOrders) {
			events = append(events, event{status: status, at: moment{sale.TimeMillis(nowMS)}, orders: page})
		}
	}
	return insert(ctx, tx, sqlInsertEvents, eventRow, events, func(args []any, e event) []any {
		return append(args, string(e.status), e.at, joined(e.orders))
	})
}

func joined(ids []sale.OrderID) string {
	text := make([]byte, 0, 20*len(ids))
	for i, id := range ids {
		if i > 0 {
			text = append(text, ',')
		}
		text = strconv.AppendInt(text, int64(id), 10)
	}
	return string(text)
}

func parted(text string) ([]sale.OrderID, error) {
	var ids []sale.OrderID
	for word := range strings.SplitSeq(text, ",") {
		id, err := sale.ParseOrderID(word)
		if err != nil {
			return nil, fmt.Errorf("order id %.24q: %w", word, err)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// OrderEvents returns events that are not published yet, with the orders as they were at the event. The events of each order
// are in their order. An answer has at most maxOrders orders, unless its first event alone has more, and no order twice, so
// that the caller may publish all of it at once.
func (s *Store) OrderEvents(ctx context.Context, maxOrders int) ([]sale.OrderEvent, error) {
	events, err := s.readEvents(ctx, maxOrders)
	if err != nil {
		return nil, fmt.Errorf("read order events: %w", err)
	}
	found := make([]sale.OrderEvent, len(events))
	places := map[sale.OrderID]*sale.Order{}
	var ids []sale.OrderID
	for i, e := range events {
		found[i] = sale.OrderEvent{ID: e.id, Orders: make([]sale.Order, len(e.orders))}
		for k, id := range e.orders {
			places[id] = &found[i].Orders[k]
		}
		ids = append(ids, e.orders...)
	}
	if err := s.readInto(ctx, ids, places); err != nil {
		return nil, fmt.Errorf("read the orders of %d events: %w", len(events), err)
	}
	for i, e := range events {
		for k, id := range e.orders {
			order := &found[i].Orders[k]
			if order.OrderID != id {
				return nil, fmt.Errorf("event %d names order %d, which has no row", e.id, id)
			}
			takeBack(order, &e)
		}
	}
	return found, nil
}

// readEvents reads the first events, up to maxOrders orders and before the first event with an order of an earlier one.
func (s *Store) readEvents(ctx context.Context, maxOrders int) ([]event, error) {
	var events []event
	named := map[sale.OrderID]bool{}
	full := false
	err := each(ctx, s.db, sqlEvents, []any{maxEventRows}, func(rows scanner) error {
		var e event
		var text string
		err := rows.Scan(&e.id, &e.status, &e.at, &text)
		if err == nil {
			e.orders, err = parted(text)
		}
		again := slices.ContainsFunc(e.orders, func(id sale.OrderID) bool { return named[id] })
		full = full || again || (len(events) > 0 && len(named)+len(e.orders) > maxOrders)
		if err != nil || full {
			return err
		}
		for _, id := range e.orders {
			named[id] = true
		}
		events = append(events, e)
		return nil
	})
	return events, err
}

// takeBack gives an order its state at an event. Only confirmed has later statuses; every other status is final.
func takeBack(o *sale.Order, e *event) {
	if e.status == sale.StatusConfirmed {
		o.Status, o.Reason, o.PaymentID = e.status, sale.ReasonNone, ""
		o.UpdatedAt = changedAt(o.CreatedAt, e.at.UnixMilli())
	}
}

// readInto reads orders into the given variables. It does not change that of an order without a row.
func (s *Store) readInto(ctx context.Context, ids []sale.OrderID, places map[sale.OrderID]*sale.Order) error {
	for chunk := range slices.Chunk(ids, maxIDs) {
		args := make([]any, len(chunk))
		for i, id := range chunk {
			args[i] = int64(id)
		}
		rows, err := readOrderRows(ctx, s.db, sqlOrders+" WHERE o.order_id IN ("+placeholders(len(chunk))+")", args)
		if err != nil {
			return err
		}
		for k := range rows {
			*places[rows[k].OrderID] = rows[k].Order
		}
	}
	return nil
}

// EventsPublished deletes events that the events topic has acknowledged.
func (s *Store) EventsPublished(ctx context.Context, ids []int64) error {
	for chunk := range slices.Chunk(ids, maxIDs) {
		args := make([]any, len(chunk))
		for i, id := range chunk {
			args[i] = id
		}
		if _, err := s.execute(ctx, sqlForgetEvents+placeholders(len(chunk))+")", args...); err != nil {
			return fmt.Errorf("forget %d published events: %w", len(ids), err)
		}
		faults.Point("store.events-forgotten")
	}
	return nil
}

const (
	sqlCountOutbox = "SELECT COUNT(*) FROM outbox"
	sqlCountEvents = "SELECT COUNT(*) FROM events"
	// The ids of a row have the length of its first one: they are of one time. Counting commas takes a hundred times as long.
	sqlEventOrders = "SELECT COALESCE(SUM(CASE INSTR(order_ids, ',') WHEN 0 THEN 1.0 " +
		"ELSE (LENGTH(order_ids) + 1.0) / INSTR(order_ids, ',') END), 0.0) FROM events"
)

// EventOrders returns the number of orders in the events that are not published yet; an order counts once for each of them.
func (s *Store) EventOrders(ctx context.Context) (int64, error) {
	var orders float64
	if err := s.db.QueryRowContext(ctx, sqlEventOrders).Scan(&orders); err != nil {
		return 0, fmt.Errorf("count the orders of waiting events: %w", err)
	}
	return int64(math.Round(orders)), nil
}

// CountWaiting returns the numbers of outbox rows that are not applied and of events that are not published.
func (s *Store) CountWaiting(ctx context.Context) (outbox, events int64, err error) {
	if err = s.db.QueryRowContext(ctx, sqlCountOutbox).Scan(&outbox); err == nil {
		err = s.db.QueryRowContext(ctx, sqlCountEvents).Scan(&events)
	}
	if err != nil {
		return 0, 0, fmt.Errorf("count outbox rows and events: %w", err)
	}
	return outbox, events, nil
}
