package store

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSQLiteDSN(t *testing.T) {
	for given, wanted := range map[string]string{
		"/a b/shop.db": "file:/a%20b/shop.db?",
		"shop.db":      "file:shop.db?",
		"file:shop.db?vfs=x&_pragma=synchronous(OFF)&_txlock=d": "file:shop.db?vfs=x&",
	} {
		got, err := sqliteDSN(given)
		require.NoError(t, err)
		require.Equal(t, wanted+sqliteParameters, got)
	}
	for _, bad := range []string{"", ":memory:", "file::memory:", "file:x?mode=memory", "shop.db?%zz"} {
		_, err := Open(Options{Driver: DriverSQLite, DSN: bad})
		require.Error(t, err, bad)
	}
}

func TestSQLitePragmasAreForced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "with space ü.db")
	s, err := Open(Options{Driver: DriverSQLite, DSN: path + "?_pragma=synchronous(OFF)&_pragma=journal_mode(DELETE)"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	for pragma, wanted := range map[string]string{"journal_mode": "wal", "synchronous": "2", "busy_timeout": "10000"} {
		var got string
		require.NoError(t, s.db.QueryRow("PRAGMA "+pragma).Scan(&got))
		require.Equal(t, wanted, strings.ToLower(got), pragma)
	}
	require.FileExists(t, path)
}

// Two processes on one file: the second waits for the first instead of failing.
func TestTwoStoresOnOneFile(t *testing.T) {
	s := migrated(t, DriverSQLite)
	var path string
	require.NoError(t, s.db.QueryRow("SELECT file FROM pragma_database_list WHERE name = 'main'").Scan(&path))
	other, err := Open(Options{Driver: DriverSQLite, DSN: path})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, other.Close()) })
	bucket := phone(t, s, 1000, 1)
	require.NoError(t, together(2, func(i int) error {
		for sequence := range int64(10) {
			settle(t, []*Store{s, other}[i], batch(bucket, 1, int64(i)*10+sequence, crowd(3)...))
		}
		return nil
	}))
	require.EqualValues(t, 60, countersOf(t, other, bucket).Settled)
}

func TestSQLiteFaults(t *testing.T) {
	s := migrated(t, DriverSQLite)
	exec := func(statement string) error {
		_, err := s.db.Exec(statement)
		require.Error(t, err, statement)
		return err
	}
	require.Equal(t, faultDuplicate, sqliteFault(exec("INSERT INTO catalogue VALUES (1, 1)")))
	require.Equal(t, faultDuplicate, sqliteFault(exec("INSERT INTO leases SELECT 'a', 'b', 1 UNION ALL SELECT 'a', 'c', 1")))
	require.Equal(t, faultData, sqliteFault(exec("INSERT INTO leases VALUES ('a', NULL, 1)")))
	require.Equal(t, faultNoTable, sqliteFault(exec("SELECT 1 FROM nowhere")))
	require.Equal(t, faultOther, sqliteFault(exec("SELECT nonsense FROM leases")))
	require.Equal(t, faultOther, sqliteFault(errors.New("disk gone")))
	require.Equal(t, faultOther, sqliteFault(nil))
}
