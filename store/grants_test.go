package store

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/test/harness"
)

// The rights that docs/operations.md lists. The processes need the first list, migrate needs both.
var (
	processGrants = []string{"SELECT", "INSERT", "UPDATE", "DELETE"}
	migrateGrants = []string{"CREATE", "ALTER", "INDEX"}
)

// grantee opens a database as an account that has some rights on it and no others.
func grantee(t *testing.T, server *harness.MariaDBServer, database string, rights []string) *Store {
	t.Helper()
	return granted(t, server, database, "GRANT "+strings.Join(rights, ", ")+" ON `%s`.* TO %s@'%%'")
}

// granteeOf opens the store with an account that may read some tables.
func granteeOf(t *testing.T, server *harness.MariaDBServer, database string, tables []string) *Store {
	t.Helper()
	var grants []string
	for _, table := range tables {
		grants = append(grants, "GRANT SELECT ON `%s`."+table+" TO %s@'%%'")
	}
	return granted(t, server, database, grants...)
}

// granted makes an account by statements that take the database and the account.
func granted(t *testing.T, server *harness.MariaDBServer, database string, grants ...string) *Store {
	t.Helper()
	config, err := mysql.ParseDSN(server.DSN(database))
	require.NoError(t, err)
	config.User, config.Passwd = fmt.Sprintf("u%d", databases.Add(1)), "secret"
	statements := []string{"CREATE USER " + config.User + "@'%' IDENTIFIED BY 'secret'"}
	for _, grant := range grants {
		statements = append(statements, fmt.Sprintf(grant, config.DBName, config.User))
	}
	for _, statement := range statements {
		_, err := server.Open(t, database).Exec(statement)
		require.NoError(t, err)
	}
	s, err := Open(Options{Driver: DriverMySQL, DSN: config.FormatDSN()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// Migrate needs exactly the rights that the page lists, and the processes no more than theirs.
func TestGrants(t *testing.T) {
	server := harness.MariaDB(t)
	all := slices.Concat(processGrants, migrateGrants)
	for _, missing := range migrateGrants {
		rights := slices.DeleteFunc(slices.Clone(all), func(right string) bool { return right == missing })
		err := grantee(t, server, "without_"+missing, rights).Migrate(t.Context())
		requireDenied(t, err, "without "+missing)
	}
	migrates := grantee(t, server, "granted", all)
	require.NoError(t, migrates.Migrate(t.Context()))
	require.NoError(t, migrates.Migrate(t.Context()), "once more")

	s := grantee(t, server, "granted", processGrants)
	require.NoError(t, s.CheckSchema(t.Context()))
	everythingOnce(t, s)
	for i, missing := range processGrants {
		rights := slices.DeleteFunc(slices.Clone(processGrants), func(right string) bool { return right == missing })
		less := grantee(t, server, "granted", rights)
		_, err := less.AcquireLease(t.Context(), fmt.Sprintf("lease-%d", i), "one", time.Minute)
		if err == nil {
			_, err = less.RememberPayment(t.Context(), sale.OrderID(1000+i), "p")
		}
		requireDenied(t, err, "without "+missing)
	}
}

// everythingOnce runs once every operation of gateways, settlement and operators.
func everythingOnce(t *testing.T, s *Store) {
	ctx := t.Context()
	listed := inBuckets(2, draft("listed", 2, item("phone", 100)))
	listed.Eligibility = sale.EligibilityList
	put(t, s, listed)
	_, err := s.ReplaceBuyers(ctx, "listed", reader(io.EOF, "ann", "bob"))
	require.NoError(t, err)
	bucket := phone(t, s, 100, 1)
	orders := crowd(4)
	require.True(t, remember(t, s, orders[0].OrderID, "p-0"))
	d := at(batch(bucket, 1, 1, orders...), "orders-a", 1, 1)
	settle(t, s, d, fence("f"))
	pay(t, s, orders[1].OrderID, "p-1")
	cancel(t, s, orders[2].OrderID)
	require.Equal(t, sale.StatusPaid, order(t, s, orders[0].OrderID).Status)
	require.Zero(t, expireDue(t, s, 10))
	require.NotEmpty(t, waiting(t, s, bucket))
	done(t, s, bucket, 1, 1, 2)
	require.NotEmpty(t, drained(t, s))
	letters := batch(bucket, 1, 9, one("eve", 1))
	add(t, s, letter(letters, 9))
	require.NoError(t, s.RefuseDeadLetter(ctx, letter(letters, 9).ID))
	require.NoError(t, rebuildOnce(ctx, s, bucket))
	archiveOnce(t, s)
	lease, err := s.LeaseNode(ctx, "one", time.Minute)
	require.NoError(t, err)
	require.NoError(t, s.RenewNode(ctx, lease, 1, time.Minute))
	require.True(t, acquire(t, s, "a", "one", time.Minute))
	require.NoError(t, s.ReleaseLease(ctx, "a", "one"))
	rules, err := s.Rules(ctx)
	require.NoError(t, err)
	_, err = s.PutRules(ctx, rules, nil)
	require.NoError(t, err)
	_, err = s.EngineID(ctx)
	require.NoError(t, err)
	require.NoError(t, s.Beat(ctx))
}

// The account of mysql.read_dsn needs SELECT alone.
func TestGrantsOnAReplica(t *testing.T) {
	server := harness.SharedMariaDB(t)
	require.NoError(t, grantee(t, server, "read_alone", slices.Concat(processGrants, migrateGrants)).Migrate(t.Context()))
	reader := grantee(t, server, "read_alone", []string{"SELECT"})
	_, _, err := reader.LastBeat(t.Context())
	require.NoError(t, err)
	_, err = reader.Orders(t.Context(), []sale.OrderID{1})
	require.NoError(t, err)
	_, err = reader.BuyerOrders(t.Context(), "s", "phone", "ann", 0, 10)
	require.NoError(t, err)
	requireDenied(t, reader.Beat(t.Context()), "without UPDATE")
}

// Gateways read on a replica the tables that the store names, each of them and no other.
func TestTablesThatAReplicaNeeds(t *testing.T) {
	server := harness.SharedMariaDB(t)
	require.NoError(t, grantee(t, server, "read_tables", slices.Concat(processGrants, migrateGrants)).Migrate(t.Context()))
	reads := func(without string) error {
		reader := granteeOf(t, server, "read_tables", slices.DeleteFunc((&Store{}).ReplicaTables(), func(table string) bool {
			return table == without
		}))
		_, _, beat := reader.LastBeat(t.Context())
		_, some := reader.Orders(t.Context(), []sale.OrderID{1})
		_, all := reader.BuyerOrders(t.Context(), "s", "phone", "ann", 0, 10)
		return errors.Join(beat, some, all)
	}
	require.NoError(t, reads(""))
	for _, table := range (&Store{}).ReplicaTables() {
		requireDenied(t, reads(table), "without "+table)
	}
}

// requireDenied: MySQL and MariaDB say that a right is denied, TiDB that its check fails.
func requireDenied(t *testing.T, err error, what string) {
	t.Helper()
	require.Error(t, err, what)
	require.Regexp(t, "denied|privilege check", err.Error(), what)
}
