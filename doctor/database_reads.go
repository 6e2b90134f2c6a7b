package doctor

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"flashsale/dsn"
	"flashsale/role"
)

// readsFacts is what the replica of mysql.read_dsn said.
type readsFacts struct {
	serverFacts
	name      string   // of its schema
	denied    []string // tables of buyers' look-ups that the account may not read
	writes    bool     // the account may change orders
	rightsErr error
	beats     beatFacts
}

// beatFacts compares the number that settling processes raise, on the primary and on the replica.
type beatFacts struct {
	primaryErr, replicaErr error
	primary, replica       int64         // the last reading; the replica was asked first
	moved                  bool          // the primary's rose meanwhile
	behind                 time.Duration // bound of what the replica lacks; 0: no proof within the time of the look
}

const (
	sqlBeat      = "SELECT beat FROM replica_beat WHERE id = 1"
	sqlMayChange = "EXPLAIN DELETE FROM orders WHERE 1 = 0"

	beatEvery = 50 * time.Millisecond
	beatStill = time.Second // a beat that does not rise for so long has no process that raises it
	beatLook  = 4 * time.Second
)

// lookAtReads reads the replica, and compares it with the primary. It returns nil where no replica is set.
func lookAtReads(ctx context.Context, o Options, primary *sql.DB) *readsFacts {
	if o.ReadDSN == "" {
		return nil
	}
	f := &readsFacts{}
	name, err := readName(o.ReadDSN, o.DatabaseTLS)
	if err != nil {
		f.err = fmt.Errorf("read mysql.read_dsn: %w", err)
		return f
	}
	f.addr, f.name = name.Addrs(), name.Config.DBName
	if err := f.look(ctx, name, o, primary); err != nil {
		f.err = fmt.Errorf("connect to the replica at %s: %w", f.addr, err)
	}
	return f
}

// look returns an error when the replica does not answer.
func (f *readsFacts) look(ctx context.Context, name *dsn.Name, o Options, primary *sql.DB) error {
	connector, err := name.Connector()
	if err != nil {
		return err
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	if err := db.PingContext(ctx); err != nil {
		return err
	}
	tables := o.Schema.ReplicaTables()
	if f.serverFacts = readServer(ctx, db, f.addr, tables); f.err != nil {
		return nil // the error has the address
	}
	f.rightsErr = f.readRights(ctx, db, tables)
	f.beats = readBeats(ctx, primary, db, min(o.ReadMaxLag+beatStill, beatLook), o.ReadMaxLag)
	return nil
}

// readRights asks for the rights without using them: EXPLAIN checks them and runs nothing.
func (f *readsFacts) readRights(ctx context.Context, db *sql.DB, tables []string) error {
	r := &databaseReader{db: db, facts: &databaseFacts{name: f.name, variables: f.variables,
		rights: databaseRights{denied: map[string][]string{}}}}
	grants, err := dsn.Grants(ctx, db)
	if err != nil {
		return err
	}
	for _, table := range tables {
		if err := r.tryRight(ctx, table, "SELECT", selectOf, grants); err != nil {
			return err
		}
	}
	f.denied = r.facts.rights.denied["SELECT"]
	_, denied := db.ExecContext(ctx, sqlMayChange) // of whatever cause the error is, the account cannot change orders
	f.writes = denied == nil
	return nil
}

// readBeats reads the beat of the replica, then that of the primary, again and again: the replica has what was committed before
// the last moment at which the primary still had a lower beat than the replica has now. It ends when that was less than enough
// ago, when the beat stands still, and after limit.
func readBeats(ctx context.Context, primary, replica *sql.DB, limit, enough time.Duration) (f beatFacts) {
	type look struct {
		asked time.Time
		beat  int64
	}
	var looks []look
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, limit+callTimeout)
	defer cancel()
	role.Until(ctx, role.Always(beatEvery), func() bool {
		if f.replicaErr = replica.QueryRowContext(ctx, sqlBeat).Scan(&f.replica); f.replicaErr != nil {
			return true
		}
		asked := time.Now()
		if f.primaryErr = primary.QueryRowContext(ctx, sqlBeat).Scan(&f.primary); f.primaryErr != nil {
			return true
		}
		looks = append(looks, look{asked, f.primary})
		f.moved = f.primary != looks[0].beat
		for _, l := range slices.Backward(looks) {
			if l.beat < f.replica {
				f.behind = time.Since(l.asked)
				break
			}
		}
		took := time.Since(began)
		return f.behind > 0 && f.behind < enough || !f.moved && took > beatStill || took > limit
	})
	return f
}

const (
	whyReads = "Without the replica, buyers' orders are read from the primary, which then has their queries too."
	whyEqual = "A replica takes queries off the primary; the primary itself takes none off."
	whyWrite = "What is written on a replica stops its replication or makes it differ; the engine only reads there."
)

// judgeReads judges the replica for reads of orders. Nothing of it is a danger: gateways read from the primary without it.
func (j databaseJudge) judgeReads() {
	r := j.reads
	if r == nil {
		return
	}
	if r.err != nil {
		j.add(Warning, "read_answers", whyReads, "FLASHSALE_MYSQL_READ_DSN=USER:PASSWORD@tcp(HOST:3306)/SCHEMA  # or start the "+
			"replica", "%v", r.err)
		return
	}
	j.add(OK, "read_answers", whyReads, "", "%s: the replica answers", r.addr)
	same := isOne(r.variables, j.variables)
	if same {
		j.add(Warning, "read_server", whyEqual, "FLASHSALE_MYSQL_READ_DSN=USER:PASSWORD@tcp(REPLICA:3306)/"+j.name,
			"%s is the server of mysql.dsn", r.addr)
	} else {
		j.add(OK, "read_server", whyEqual, "", "%s is another server than that of mysql.dsn", r.addr)
	}
	j.judgeReadRights()
	j.judgeBeats()
	if !same {
		j.judgeReadWrites()
	}
}

func (j databaseJudge) judgeReadRights() {
	r := j.reads
	grant := "GRANT SELECT ON `" + r.name + "`.* TO " + r.account + ";  -- at the primary"
	switch {
	case r.rightsErr != nil:
		j.unknown("read_rights", whyReads, "SHOW GRANTS;  -- at "+r.addr, r.rightsErr)
	case len(r.denied) > 0:
		j.add(Warning, "read_rights", whyReads, grant, "%s may not read %s at %s", r.account, strings.Join(r.denied, ", "),
			r.addr)
	default:
		j.add(OK, "read_rights", whyReads, "", "%s may read what buyers look up", r.account)
	}
}

// judgeBeats judges whether the replica follows. The beat proves it; a beat that nobody raises leaves what the servers say.
func (j databaseJudge) judgeBeats() {
	r, b := j.reads, j.reads.beats
	at := "  -- at " + r.addr
	status := "SHOW REPLICA STATUS;" + at
	add := func(level Level, mend, found string, args ...any) {
		j.add(level, "read_follows", whyReads, mend, r.addr+" "+found, args...)
	}
	switch {
	case number(b.primaryErr) == errNoTable, number(b.replicaErr) == errNoTable && !j.migrated():
		add(OK, "", "cannot be compared before flashsale migrate")
	case slices.Contains(deniedErrors, number(b.replicaErr)):
		j.unknown("read_follows", whyReads, "GRANT SELECT ON `"+r.name+"`.* TO "+r.account+";  -- at the primary", b.replicaErr)
	case b.replicaErr != nil:
		add(Warning, status, "has no beat: %v", b.replicaErr)
	case b.primaryErr != nil:
		j.unknown("read_follows", whyReads, "GRANT SELECT ON `"+j.name+"`.* TO "+j.account+";", b.primaryErr)
	case b.replica > b.primary:
		add(Warning, status, "has a later beat than the primary, %d after %d: it does not follow it", b.replica, b.primary)
	case b.behind > 0 && b.behind < j.options.ReadMaxLag:
		add(OK, "", "follows, %d ms behind at most", b.behind.Milliseconds())
	case b.replica < b.primary:
		add(Warning, status, "lacks the last %d beats, of which a second has ten%s", b.primary-b.replica, r.saysLag())
	case b.moved:
		add(Warning, status, "is behind by more than mysql.read_max_lag%s", r.saysLag())
	case j.gateways > 0:
		add(Warning, "FLASHSALE_MYSQL_READ_DSN=USER:PASSWORD@tcp(REPLICA:3306)/"+j.name+"  # for settle too, then start it anew",
			"is not used by the gateways that run: no settling process raises the beat")
	case !r.said(j.server()):
		add(Warning, status, "has the beat %d of the primary, and says that it follows no server", b.replica)
	default:
		add(OK, "", "has the last beat, %d, which no process raises now", b.replica)
	}
}

// saysLag is what a replica says of its lag.
func (f *readsFacts) saysLag() string {
	switch {
	case f.replica.source == "":
		return ""
	case f.replica.lag == "NULL":
		return "; it says that its replication does not run"
	}
	return "; it says " + f.replica.lag + " s"
}

// said reports whether the replica does not deny that it follows the primary.
func (f *readsFacts) said(primary serverFacts) bool {
	running := f.replica.source != "" && f.replica.lag != "NULL"
	return running || f.replica.err != nil || f.isTiDB() || f.group() != "" && f.group() == primary.group() ||
		isOne(f.variables, primary.variables)
}

// server is the server to which the engine connects.
func (j databaseJudge) server() serverFacts {
	return serverFacts{addr: j.addr, variables: j.variables, status: j.status}
}

func (j databaseJudge) judgeReadWrites() {
	r := j.reads
	switch {
	case r.isTiDB() || r.group() != "":
		return // every server of a cluster takes writes
	case r.rightsErr != nil:
		return // read_rights says so
	case r.writable() && r.writes:
		j.add(Warning, "read_writable", whyWrite, setGlobal("read_only", "ON")+"  -- at "+r.addr,
			"%s takes writes, and %s may change orders there", r.addr, r.account)
	default:
		j.add(OK, "read_writable", whyWrite, "", "%s takes no writes of %s", r.addr, r.account)
	}
}
