package store

import (
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"flashsale/sale"
	"flashsale/tracing"
)

// Drivers of Open.
const (
	DriverMySQL  = "mysql" // MySQL, MariaDB, TiDB
	DriverSQLite = "sqlite"
)

// Options are the database of a Store.
type Options struct {
	Driver         string          // DriverMySQL or DriverSQLite
	DSN            string          // in the driver's format; Open overrides the parameters on which the engine depends
	TLS            *tls.Config     // MySQL only; nil: as the DSN says
	Tracer         *tracing.Tracer // nil: statements have no spans
	MaxConnections int             // 0: 16 for MySQL, 4 for SQLite, where writers queue for one lock

	patient bool // a statement may take any time; MySQL only

	// Moved is called after a commit that has brought orders of a sale to a status; nil: it is not called.
	Moved func(saleID string, status sale.OrderStatus, orders int64)
}

// minConnections: a migration has its lock on one connection and works on another.
const minConnections = 2

// connectionLifetime is below the idle limits of common proxies. After a failover the driver resolves the name again.
const connectionLifetime = 3 * time.Minute

// Store is one database. It is safe for concurrent use.
type Store struct {
	options Options
	db      *sql.DB
	dialect *dialect
	// repeatFor is how long transact repeats a transaction after conflicts; tests shorten it.
	repeatFor time.Duration
	writer    chan struct{} // contains a token while a transaction runs; nil if writers need not queue

	settled     settledBuyers
	passed      passedOrders
	payments    seenPayments
	statuses    statuses
	filterPage  int   // rows that a settlement reads into a filter; tests take fewer
	feedWindow  int   // rows that a page of the feed looks at; tests take fewer
	unpaidPage  int   // orders that a statement of UnpaidOrders counts; tests take fewer
	letterBytes int64 // bytes of the records of a page of dead letters; tests take fewer
	smallSale   int   // orders of a sale that the feed sorts; tests take fewer
	migrating   sync.Mutex
}

// Open checks the options and returns a Store. It does not connect to the database.
func Open(options Options) (*Store, error) {
	var open func(Options) (*sql.DB, error)
	var d *dialect
	switch options.Driver {
	case DriverMySQL:
		open, d = openMySQL, mysqlDialect()
	case DriverSQLite:
		open, d = openSQLite, sqliteDialect()
	default:
		return nil, fmt.Errorf("open store: driver %q is neither %s nor %s", options.Driver, DriverMySQL, DriverSQLite)
	}
	db, err := open(options)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	connections := options.MaxConnections
	if connections <= 0 {
		connections = d.maxConnections
	}
	connections = max(connections, minConnections)
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	db.SetConnMaxLifetime(connectionLifetime)
	s := &Store{options: options, db: db, dialect: d, repeatFor: repeatFor, filterPage: filterPage,
		unpaidPage: unpaidPage, feedWindow: feedWindow, smallSale: smallSale, letterBytes: maxLetterBytes,
		statuses: statuses{moved: options.Moved}}
	if d.oneWriter {
		s.writer = make(chan struct{}, 1)
	}
	return s, nil
}

// Apart opens the same database again with connections of its own, for a reader that must not wait for a connection behind
// others. Use it only for reading: with SQLite the writers of a Store queue in that Store.
func (s *Store) Apart(connections int) (*Store, error) {
	options := s.options
	options.MaxConnections = connections
	return Open(options)
}

// Close closes every connection.
func (s *Store) Close() error { return s.db.Close() }

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.db.PingContext(ctx); err != nil {
		return fmt.Errorf("ping database: %w", err)
	}
	return nil
}

// querier runs statements: the database or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// each runs a query and calls scan for every row.
func each(ctx context.Context, q querier, query string, args []any, scan func(scanner) error) (err error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// scanner is one row of an answer.
type scanner interface{ Scan(targets ...any) error }

func isNoRows(err error) bool { return errors.Is(err, sql.ErrNoRows) }
