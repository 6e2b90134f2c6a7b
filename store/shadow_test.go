package store

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/test/harness"
)

// shadowed is a real database with one sale, and the schema of its rehearsals.
func shadowed(t *testing.T) (*Store, *ShadowSchema) {
	t.Helper()
	name := databaseName(t)
	s, err := Open(Options{Driver: DriverMySQL, DSN: harness.SharedMariaDB(t).DSN(name)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	require.NoError(t, s.Migrate(t.Context()))
	put(t, s, draft("real", 1, item("phone", 10)))
	return s, shadowOf(t, s)
}

func shadowOf(t *testing.T, s *Store) *ShadowSchema {
	t.Helper()
	schema, err := SchemaOf(s.options.DSN)
	require.NoError(t, err)
	names, err := sale.ShadowOf("ns", schema)
	require.NoError(t, err)
	h, err := s.Shadow(names)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, h.Close()) })
	return h
}

func (h *ShadowSchema) exec(t *testing.T, statement string) {
	t.Helper()
	_, err := h.server.db.ExecContext(t.Context(), statement)
	require.NoError(t, err)
}

func (h *ShadowSchema) schemaThere(t *testing.T) bool {
	t.Helper()
	var n int
	require.NoError(t, h.server.db.QueryRowContext(t.Context(), sqlSchemaThere, h.names.Schema()).Scan(&n))
	return n > 0
}

// A shadow is made, used and removed, and the real schema stays as it was.
func TestShadowSchemaComesAndGoes(t *testing.T) {
	s, h := shadowed(t)
	remains, err := h.Remains(t.Context())
	require.NoError(t, err)
	require.Nil(t, remains)
	require.NoError(t, h.Remove(t.Context()), "nothing to remove")
	require.NoError(t, h.Make(t.Context()))
	remains, err = h.Remains(t.Context())
	require.NoError(t, err)
	require.GreaterOrEqual(t, remains.Age, time.Duration(0))
	require.Less(t, remains.Age, 10*time.Second)
	require.NoError(t, h.Store().CheckSchema(t.Context()))
	put(t, h.Store(), draft("real", 1, item("phone", 99)))
	require.ErrorContains(t, h.Make(t.Context()), "mark schema", "it is there already")
	require.NoError(t, h.Remove(t.Context()))
	require.False(t, h.schemaThere(t))
	kept, err := s.Sale(t.Context(), "real")
	require.NoError(t, err)
	require.EqualValues(t, 10, kept.Items[0].Stock)
	require.NoError(t, h.Remove(t.Context()), "once more")
}

// A removal that was interrupted after any of its tables goes on.
func TestARemovalThatWasInterruptedGoesOn(t *testing.T) {
	_, h := shadowed(t)
	require.NoError(t, h.Make(t.Context()))
	ours, err := h.db.tablesOfTheEngine()
	require.NoError(t, err)
	for _, table := range ours[:len(ours)/2] {
		h.exec(t, "DROP TABLE "+identifier(h.names.Schema())+"."+identifier(table))
	}
	h.exec(t, "DELETE FROM "+identifier(h.names.Schema())+"."+shadowMark)
	remains, err := h.Remains(t.Context())
	require.NoError(t, err)
	require.Less(t, remains.Age, time.Duration(0), "it never said that it was alive")
	require.NoError(t, h.Remove(t.Context()))
	require.False(t, h.schemaThere(t))
}

// A schema that an administrator made stays, empty.
func TestASchemaThatWasThereStays(t *testing.T) {
	_, h := shadowed(t)
	h.exec(t, "CREATE DATABASE "+identifier(h.names.Schema()))
	require.NoError(t, h.Make(t.Context()))
	require.NoError(t, h.Remove(t.Context()))
	require.True(t, h.schemaThere(t))
	tables, err := h.tables(t.Context())
	require.NoError(t, err)
	require.Empty(t, tables)
	h.exec(t, "DROP DATABASE "+identifier(h.names.Schema()))
}

// Tables of other programs are never dropped: neither before a rehearsal, nor when they appear during one.
func TestTablesOfOthersStay(t *testing.T) {
	_, h := shadowed(t)
	schema := identifier(h.names.Schema())
	h.exec(t, "CREATE DATABASE "+schema)
	h.exec(t, "CREATE TABLE "+schema+".orders (id INT)")
	_, err := h.Remains(t.Context())
	require.ErrorContains(t, err, "no rehearsal of this engine made: orders")
	require.ErrorContains(t, h.Remove(t.Context()), "no rehearsal of this engine made")
	h.exec(t, "CREATE TABLE "+schema+".rehearsal (id INT) COMMENT = 'flashsale rehearsal of namespace other, schema x'")
	require.ErrorContains(t, h.Remove(t.Context()), "orders, rehearsal")
	h.exec(t, "DROP DATABASE "+schema)

	require.NoError(t, h.Make(t.Context()))
	h.exec(t, "CREATE TABLE "+schema+".notes (id INT)")
	require.ErrorContains(t, h.Remove(t.Context()), "no rehearsal made: notes")
	tables, err := h.tables(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"notes"}, sortedNames(tables))
	h.exec(t, "DROP DATABASE "+schema)
}

func TestAShadowBelongsToItsDatabase(t *testing.T) {
	s, _ := shadowed(t)
	other, err := sale.ShadowOf("ns", "another")
	require.NoError(t, err)
	_, err = s.Shadow(other)
	require.ErrorContains(t, err, `the rehearsal is one of "another"`)
	lite, err := Open(Options{Driver: DriverSQLite, DSN: t.TempDir() + "/db"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, lite.Close()) })
	_, err = lite.Shadow(other)
	require.ErrorContains(t, err, "needs a database server")
	zero := &ShadowSchema{server: s, db: s}
	require.ErrorIs(t, zero.Remove(t.Context()), sale.ErrNotShadow)
	require.ErrorIs(t, zero.Make(t.Context()), sale.ErrNotShadow)
}

// One rehearsal at a time, and a lock that its connection loses is missed.
func TestOneRehearsalHasTheLock(t *testing.T) {
	s, h := shadowed(t)
	lock, err := h.Lock(t.Context())
	require.NoError(t, err)
	require.NoError(t, lock.Check(t.Context()))
	_, err = shadowOf(t, s).Lock(t.Context())
	require.ErrorIs(t, err, sale.ErrLeaseHeld)
	require.NoError(t, lock.Release(t.Context()))
	again, err := h.Lock(t.Context())
	require.NoError(t, err)
	h.exec(t, fmt.Sprintf("KILL %d", connectionOf(t, again)))
	require.ErrorContains(t, again.Check(t.Context()), "is lost")
	third, err := h.Lock(t.Context())
	require.NoError(t, err, "the lock ended with the connection")
	require.NoError(t, third.Release(t.Context()))
}

func connectionOf(t *testing.T, l *ShadowLock) (id int64) {
	t.Helper()
	require.NoError(t, l.conn.QueryRowContext(t.Context(), "SELECT CONNECTION_ID()").Scan(&id))
	return id
}

// Each missing right is found before anything is made, and the statement that the error names grants it.
func TestRightsOfAShadow(t *testing.T) {
	names := shadowRights("x")
	for _, missing := range append([]string{"all"}, rightsOf(names)...) {
		t.Run(missing, func(t *testing.T) {
			s, admin := shadowed(t)
			config, err := mysql.ParseDSN(s.options.DSN)
			require.NoError(t, err)
			config.User, config.Passwd = fmt.Sprintf("r%d", databases.Add(1)), "secret"
			admin.exec(t, "CREATE USER "+config.User+"@'%' IDENTIFIED BY 'secret'")
			admin.exec(t, "GRANT SELECT ON "+identifier(config.DBName)+".* TO "+config.User+"@'%'")
			rights := slices.DeleteFunc(rightsOf(names), func(right string) bool { return right == missing || missing == "all" })
			if len(rights) > 0 {
				admin.exec(t, fmt.Sprintf("GRANT %s ON %s.* TO %s@'%%'", strings.Join(rights, ", "),
					identifier(admin.names.Schema()), config.User))
			}
			account, err := Open(Options{Driver: DriverMySQL, DSN: config.FormatDSN()})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, account.Close()) })
			h := shadowOf(t, account)
			err = h.CheckRights(t.Context())
			require.ErrorIs(t, err, sale.ErrRights)
			denied, _, _ := strings.Cut(err.Error(), " on schema") // without SELECT also CREATE: LIKE reads its model
			if missing != "all" {
				require.Contains(t, denied, missing)
			}
			require.False(t, admin.schemaThere(t))
			_, grant, found := strings.Cut(err.Error(), "Type there: ")
			require.True(t, found)
			admin.exec(t, grant)
			require.NoError(t, h.CheckRights(t.Context()))
			require.NoError(t, h.Make(t.Context()))
			require.NoError(t, h.Remove(t.Context()))
			require.False(t, admin.schemaThere(t))
		})
	}
}

func TestNamesInStatements(t *testing.T) {
	require.Equal(t, "`a``b`", identifier("a`b"))
	require.Equal(t, `'it''s \\ here'`, literal(`it's \ here`))
	require.Equal(t, "GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX, DROP ON `s_rehearsal`.* TO 'a@b'@'%';",
		grantOf("s_rehearsal", "a@b@%"))
	dsn, err := InSchema("u:p@tcp(db:3306)/flashsale?timeout=5s&tls=true", "other")
	require.NoError(t, err)
	require.Equal(t, "u:p@tcp(db:3306)/other?timeout=5s&tls=true", dsn)
	for _, read := range []func() error{
		func() error { _, err := SchemaOf("nonsense"); return err },
		func() error { _, err := InSchema("nonsense", "x"); return err },
	} {
		require.ErrorContains(t, read(), "read DSN")
	}
}
