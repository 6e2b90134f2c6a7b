package store

import "time"

// dialect is the differences between the databases: a few fragments of SQL and the meaning of errors.
type dialect struct {
	goose      string // name of the dialect in goose
	migrations string // folder of the migrations

	// Queries that take and release the server's lock on migrations; empty if there is no server. Taking returns 1, or
	// another value after 10 seconds.
	takeMigrationLock, giveMigrationLock string

	// columns is a query of the columns of every table: the name of the table, the name of the column, and whether the server
	// ignores case in table names.
	columns string

	now   string // expression: the database's clock in the form of DATETIME(3), UTC
	nowMS string // expression: the same as Unix milliseconds
	// readOnly is an expression: 1 on a server that takes no writes. Servers say so by a number or, newer ones, by a word.
	readOnly string
	forced   string // after a table's name: use the primary key, so that the statement locks no other rows
	// byBuyer after the table of orders and its alias: use the index of the buyers.
	byBuyer string
	// byDue after the table of orders: use the index of the payment times.
	byDue string
	// byUpdated: the same with the index of updated_at.
	byUpdated string
	// afterDue is a condition on the orders after a time and an id, in the order of payment time and id: time, id, time. It is a
	// range of the index also where many orders have the same time.
	afterDue string
	lock     string // after a SELECT: lock its rows until the commit

	// remove begins a DELETE from a table, up to its condition; like forced, it locks no other rows.
	remove func(table string) string

	// absent follows an INSERT: the INSERT then skips a row that exists. column is one in which the two rows are equal.
	absent func(column string) string

	// later is an expression: a column of the form of DATETIME(3), later by an argument that shift returns.
	later func(column string) string
	shift func(by time.Duration) any

	// oneWriter means that the database allows one writer at a time. The transactions then queue in this process, because
	// the database itself waits by polling, which can starve one of them.
	oneWriter      bool
	maxConnections int
	fault          func(error) fault
}

// fault is what a database error means to the store.
type fault int

const (
	faultOther     fault = iota
	faultDuplicate       // a unique key refused the row
	faultTransient       // nothing was written; the whole transaction may run again at once
	faultData            // the database refuses the values, and will again
	faultNoTable         // there is no schema
)
