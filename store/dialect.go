package store

// dialect holds what differs between the databases: a few fragments of SQL and the meaning of errors.
type dialect struct {
	goose      string // name of the dialect in goose
	migrations string // folder of the migrations

	// Queries of one number that take and give back the server's lock on migrations; empty where there is no server.
	// Taking answers 1, or another value after 10 seconds.
	takeMigrationLock, giveMigrationLock string

	// columns is a query of the columns of every table: the table's name, the column's, and whether the server takes names
	// of tables that differ in case alone for the same.
	columns string

	now    string // expression: the database's clock in the form of DATETIME(3), UTC
	nowMS  string // expression: the same as Unix milliseconds
	forced string // after a table's name: use the primary key, so that no other rows are locked on the way
	lock   string // after a SELECT: lock its rows until the commit

	// remove begins a DELETE from a table whose condition follows; like forced it locks no other rows on the way.
	remove func(table string) string

	// absent follows an INSERT: a row that is there already is left; column is one that the row and the new one share.
	absent func(column string) string

	// oneWriter says that the database has a single writer. Its transactions then queue in this process: the database's
	// own waiting is by polling, and whoever polls rarely starves.
	oneWriter      bool
	maxConnections int
	fault          func(error) fault
}

// fault is what a database error means to the store.
type fault int

const (
	faultOther     fault = iota
	faultDuplicate       // a unique key stopped the row
	faultTransient       // nothing happened; the whole transaction may be run again at once
	faultData            // the database refuses the values: running it again cannot help
	faultNoTable         // the schema is not there
)
