package dsn

import (
	"context"
	"database/sql/driver"
	"fmt"
	"time"
)

// session has the methods of the Go MySQL driver's connections that database/sql looks for.
type session interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.NamedValueChecker
	driver.Pinger
	driver.QueryerContext
	driver.SessionResetter
	driver.Validator
}

// checkEvery is how old the knowledge that its server takes writes may be when a connection of a list is used again. Without it,
// connections that only read would stay at a primary that has become a replica until they are as old as the pool allows, and
// read what was true before. A short life of connections would do the same for 2 ms and 0.2 ms of the server's CPU each time,
// measured without TLS on MySQL 9.7; the question costs 0.02 ms and 0.007 ms.
const checkEvery = time.Second

// watched is a connection to one server of a list.
type watched struct {
	session
	galera bool      // whether the server is a node of a Galera cluster
	asked  time.Time // before the last question whether the server takes writes
}

// watch returns a new connection as one that is watched; its error says why the server takes no writes.
func watch(ctx context.Context, conn driver.Conn) (*watched, error) {
	s, ok := conn.(session)
	if !ok {
		return nil, fmt.Errorf("driver connection %T is not one of the Go MySQL driver", conn)
	}
	w := &watched{session: s, asked: time.Now()}
	var err error
	if w.galera, err = isGalera(ctx, s); err != nil {
		return nil, err
	}
	return w, checkWritable(ctx, s, w.galera)
}

// ResetSession implements driver.SessionResetter: the pool calls it before it uses the connection again, and takes another one
// after the error driver.ErrBadConn alone. Where no server takes writes, the attempt to open that other one says why.
func (w *watched) ResetSession(ctx context.Context) error {
	if err := w.session.ResetSession(ctx); err != nil {
		return err
	}
	now := time.Now()
	if now.Sub(w.asked) < checkEvery {
		return nil
	}
	w.asked = now
	if checkWritable(ctx, w.session, w.galera) != nil {
		return driver.ErrBadConn
	}
	return nil
}
