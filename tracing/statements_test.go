package tracing_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"flashsale/test/collector"
)

// TestStatementsAreSpansOnlyUnderASpan: with names and numbers, without texts and values.
func TestStatementsAreSpansOnlyUnderASpan(t *testing.T) {
	c := collector.HTTP(t)
	always(t, c.URL)
	tracer := open(t)
	db, err := tracer.Open("sqlite", filepath.Join(t.TempDir(), "db"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	_, err = db.ExecContext(t.Context(), "CREATE TABLE orders (buyer TEXT PRIMARY KEY)")
	require.NoError(t, err)

	ctx, span := tracer.Unit(t.Context(), "settle")
	tx, err := db.BeginTx(ctx, nil)
	require.NoError(t, err)
	_, err = tx.ExecContext(ctx, "INSERT INTO orders (buyer) VALUES ('alice')")
	require.NoError(t, err)
	_, err = tx.ExecContext(ctx, "INSERT INTO orders (buyer) VALUES ('alice')")
	require.Error(t, err)
	_, err = tx.ExecContext(ctx, "UPDATE orders SET buyer = ? WHERE buyer = 'alice'", "bob")
	require.NoError(t, err)
	rows, err := tx.QueryContext(ctx, "SELECT buyer\nFROM orders WHERE buyer IN (?)", "bob")
	require.NoError(t, err)
	require.NoError(t, rows.Close())
	require.NoError(t, rows.Err())
	require.NoError(t, tx.Commit())
	span.End()
	tracer.Close()

	settle := c.Named("settle")[0]
	var names []string
	for _, s := range c.Spans() {
		require.NotContains(t, s.String(), "alice")
		if s.Name == "settle" {
			continue
		}
		require.True(t, s.Under(settle), s.Name)
		require.Equal(t, "sqlite", s.Attribute("db.system.name"), s.Name)
		names = append(names, s.Name)
	}
	require.Equal(t, []string{"BEGIN_TX", "INSERT orders", "INSERT orders", "UPDATE orders", "SELECT orders", "COMMIT"}, names)
	inserts := c.Named("INSERT orders")
	require.Equal(t, "INSERT", inserts[0].Attribute("db.operation.name"))
	require.Equal(t, "orders", inserts[0].Attribute("db.collection.name"))
	require.Nil(t, inserts[0].Attribute("error.type"))
	require.NotNil(t, inserts[1].Attribute("error.type"))
}
