package dsn

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

// server is one server of a list.
type server struct {
	addr      string
	connector driver.Connector
	within    time.Duration // bounds its whole answer: the driver's own timeout ends with the TCP connection
}

// firstWritable connects to the first of several servers that answers and takes writes, so that after a failover new
// connections find the new primary. An open one is replaced at its next use once its server takes no writes, see checkEvery.
type firstWritable []server

// Connect tries the servers in their order, and gives each no more than its share of the time that ctx leaves. Its error names
// what each of them said.
func (f firstWritable) Connect(ctx context.Context) (driver.Conn, error) {
	var faults error
	for i, s := range f {
		if ends, bounded := ctx.Deadline(); bounded {
			s.within = min(s.within, time.Until(ends)/time.Duration(len(f)-i))
		}
		conn, err := s.connect(ctx)
		if err == nil {
			return conn, nil
		}
		err = fmt.Errorf("%s: %w", s.addr, err)
		if faults != nil {
			err = fmt.Errorf("%w; %w", faults, err) // one line, as logs have it
		}
		faults = err
		if ctx.Err() != nil {
			break
		}
	}
	return nil, faults
}

// Driver returns the Go MySQL driver.
func (f firstWritable) Driver() driver.Driver { return mysql.MySQLDriver{} }

func (s server) connect(ctx context.Context) (driver.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, s.within)
	defer cancel()
	conn, err := s.connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	w, err := watch(ctx, conn)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return w, nil
}

// Reasons for which a server takes no writes.
var (
	errReadOnly  = errors.New("the server is read-only")
	errNoCluster = errors.New("the node is not part of its Galera cluster's majority")
)

const (
	sqlReadOnly = "SELECT @@global.read_only"
	// A node of Galera that has lost the majority refuses each statement on a table, with error 1047, and is not read_only. It
	// answers SHOW. A MariaDB outside any cluster says that wsrep_ready is OFF, so only that of a node counts.
	sqlGalera      = "SHOW GLOBAL VARIABLES LIKE 'wsrep_on'" // no row on MySQL and TiDB
	sqlGaleraReady = "SHOW STATUS LIKE 'wsrep_ready'"
)

// isGalera asks whether a server is a node of a Galera cluster.
func isGalera(ctx context.Context, asker driver.QueryerContext) (bool, error) {
	galera, err := value(ctx, asker, sqlGalera)
	if err != nil {
		return false, fmt.Errorf("ask whether it is a node of Galera: %w", err)
	}
	return isOn(galera), nil
}

// checkWritable asks a server whether it takes writes.
func checkWritable(ctx context.Context, asker driver.QueryerContext, galera bool) error {
	switch readOnly, err := value(ctx, asker, sqlReadOnly); {
	case err != nil:
		return fmt.Errorf("ask whether it is read-only: %w", err)
	case isOn(readOnly):
		return errReadOnly
	case !isOff(readOnly):
		return fmt.Errorf("%w: read_only is %q", errReadOnly, readOnly)
	case !galera:
		return nil
	}
	switch ready, err := value(ctx, asker, sqlGaleraReady); {
	case err != nil:
		return fmt.Errorf("ask whether it is part of its cluster: %w", err)
	case !isOn(ready):
		return errNoCluster
	}
	return nil
}

// Servers answer by a number or, newer ones, by a word.
func isOn(value string) bool  { return value == "1" || strings.EqualFold(value, "ON") }
func isOff(value string) bool { return value == "0" || strings.EqualFold(value, "OFF") }

// value returns the last column of the first row of an answer, "" where there is no row.
func value(ctx context.Context, asker driver.QueryerContext, query string) (text string, err error) {
	rows, err := asker.QueryContext(ctx, query, nil)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	row := make([]driver.Value, len(rows.Columns()))
	switch err := rows.Next(row); {
	case errors.Is(err, io.EOF):
		return "", nil
	case err != nil:
		return "", err
	}
	last := row[len(row)-1]
	if raw, is := last.([]byte); is {
		return string(raw), nil
	}
	return fmt.Sprint(last), nil
}
