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

// statusExtended is the status column of an event that the payment time of confirmed orders has moved. Its order ids are
// followed by the new payment time: id=milliseconds.
const statusExtended = "extended"

// event is a row of the events table.
type event struct {
	id     int64
	status sale.OrderStatus
	at     moment
	orders []sale.OrderID
	payBy  []sale.Time // of each order, of an extension alone
}

// extended is an order whose payment time moves.
type extended struct {
	order   sale.OrderID
	payByMS int64 // Unix milliseconds
}

// writeExtensions writes an event for extended orders, at most maxEventOrders, in the transaction that extends them.
func writeExtensions(ctx context.Context, tx *sql.Tx, nowMS int64, orders []extended) error {
	if len(orders) == 0 {
		return nil
	}
	text := make([]byte, 0, 40*len(orders))
	for i, e := range orders {
		if i > 0 {
			text = append(text, ',')
		}
		text = append(strconv.AppendInt(text, int64(e.order), 10), '=')
		text = strconv.AppendInt(text, e.payByMS, 10)
	}
	_, err := tx.ExecContext(ctx, sqlInsertEvents+eventRow, statusExtended, moment{sale.TimeMillis(nowMS)}, string(text))
	return err
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

// part reads the orders of an event.
func (e *event) part(text string) error {
	for word := range strings.SplitSeq(text, ",") {
		name, payBy, extended := strings.Cut(word, "=")
		id, err := sale.ParseOrderID(name)
		if err != nil {
			return fmt.Errorf("order id %.24q: %w", word, err)
		}
		e.orders = append(e.orders, id)
		if extended != (e.status == statusExtended) {
			return fmt.Errorf("order %.48q of an event %s", word, e.status)
		}
		if !extended {
			continue
		}
		ms, err := strconv.ParseInt(payBy, 10, 64)
		if err != nil {
			return fmt.Errorf("payment time %.48q: %w", word, err)
		}
		e.payBy = append(e.payBy, sale.TimeMillis(ms))
	}
	return nil
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
	var ids []sale.OrderID
	for _, e := range events {
		ids = append(ids, e.orders...)
	}
	present, err := s.readPresent(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("read the orders of %d events: %w", len(events), err)
	}
	for i, e := range events {
		found[i] = sale.OrderEvent{ID: e.id, Orders: make([]sale.Order, len(e.orders)), Extended: e.status == statusExtended}
		for k, id := range e.orders {
			order := present[id]
			if order == nil {
				return nil, fmt.Errorf("event %d names order %d, which has no row", e.id, id)
			}
			found[i].Orders[k] = order.asAt(&e, k)
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
			err = e.part(text)
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

// presentOrder is an order as it is now.
type presentOrder struct {
	orderRow
	firstPayBy *sale.Time // the payment time at its confirmation, nil if it has not moved since
}

// asAt returns the order as it was at an event, in which it has a place. A confirmed order may have been extended and may have
// got a final status since; an order with a final status does not change.
func (o *presentOrder) asAt(e *event, place int) sale.Order {
	was := o.Order
	if e.status != sale.StatusConfirmed && e.status != statusExtended {
		return was
	}
	was.Status, was.Reason, was.PaymentID = sale.StatusConfirmed, sale.ReasonNone, ""
	was.UpdatedAt = changedAt(was.CreatedAt, e.at.UnixMilli())
	switch {
	case e.status == statusExtended:
		was.PayBy = &e.payBy[place]
	case o.firstPayBy != nil:
		was.PayBy = o.firstPayBy
	}
	return was
}

const sqlPresent = "SELECT " + orderColumns + ", " + ownLine + ", o.first_pay_by FROM orders o WHERE o.order_id IN ("

// readPresent reads orders and leaves out those without a row.
func (s *Store) readPresent(ctx context.Context, ids []sale.OrderID) (map[sale.OrderID]*presentOrder, error) {
	present := make(map[sale.OrderID]*presentOrder, len(ids))
	for chunk := range slices.Chunk(ids, maxIDs) {
		var rows []orderRow
		var first []nullMoment
		err := each(ctx, s.db, sqlPresent+placeholders(len(chunk))+")", idArgs(chunk), func(r scanner) error {
			var payBy nullMoment
			order, line, err := scanOrder(r, &payBy)
			rows, first = append(rows, rowOf(order, &line)), append(first, payBy)
			return err
		})
		if err == nil {
			err = addLines(ctx, s.db, rows)
		}
		if err != nil {
			return nil, err
		}
		for i := range rows {
			present[rows[i].OrderID] = &presentOrder{rows[i], first[i].time}
		}
	}
	return present, nil
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
