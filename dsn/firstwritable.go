package dsn

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-sql-driver/mysql"
)

// server is one server of a list.
type server struct {
	addr      string
	connector driver.Connector
}

// firstWritable connects to the first of several servers that answers and is not read-only, so that after a failover new
// connections find the new primary. Connections that are open stay where they are until a write fails or they grow old.
type firstWritable []server

// Connect tries the servers in their order. Its error names what each of them said.
func (f firstWritable) Connect(ctx context.Context) (driver.Conn, error) {
	var faults error
	for _, s := range f {
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
	conn, err := s.connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	if err := checkWritable(ctx, conn); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

var errReadOnly = errors.New("the server is read-only")

const sqlReadOnly = "SELECT @@global.read_only"

// checkWritable asks a server whether it takes writes. Servers answer by a number or, newer ones, by a word.
func checkWritable(ctx context.Context, conn driver.Conn) (err error) {
	asker, ok := conn.(driver.QueryerContext)
	if !ok {
		return fmt.Errorf("driver connection %T answers no queries", conn)
	}
	rows, err := asker.QueryContext(ctx, sqlReadOnly, nil)
	if err != nil {
		return fmt.Errorf("ask whether it is read-only: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	answer := make([]driver.Value, 1)
	if err := rows.Next(answer); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("ask whether it is read-only: %w", err)
	}
	text := fmt.Sprint(answer[0])
	if raw, is := answer[0].([]byte); is {
		text = string(raw)
	}
	switch strings.ToUpper(text) {
	case "0", "OFF":
		return nil
	case "1", "ON":
		return errReadOnly
	}
	return fmt.Errorf("%w: read_only is %q", errReadOnly, text)
}
