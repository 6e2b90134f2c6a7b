package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-sql-driver/mysql"

	"flashsale/dsn"
	"flashsale/sale"
)

// shadowRight is a right and a statement that needs it. The statements name tables that never exist, and a server checks
// rights before it looks for a table: without the right it denies, with the right it finds no table. So nothing is written.
type shadowRight struct{ right, statement string }

func shadowRights(schema string) []shadowRight {
	table := identifier(schema) + "." + identifier("rights_of_a_rehearsal")
	absent := identifier(schema) + "." + identifier("no_table_of_a_rehearsal")
	return []shadowRight{
		{"SELECT", "SELECT x FROM " + table},
		{"INSERT", "INSERT INTO " + table + " (x) VALUES (1)"},
		{"UPDATE", "UPDATE " + table + " SET x = 1"},
		{"DELETE", "DELETE FROM " + table},
		{"CREATE", "CREATE TABLE " + table + " LIKE " + absent},
		{"ALTER", "ALTER TABLE " + table + " ADD COLUMN x INT"},
		{"INDEX", "CREATE INDEX x ON " + table + " (x)"},
		{"DROP", "DROP TABLE " + table},
	}
}

func rightsOf(needed []shadowRight) (names []string) {
	for _, one := range needed {
		names = append(names, one.right)
	}
	return names
}

// sqlAccount returns the account whose rights count, as user@host.
const sqlAccount = "SELECT CURRENT_USER()"

// CheckRights tries whether the account may make, use and drop the shadow's schema, and writes nothing. The error wraps
// sale.ErrRights, and names the missing rights and the statement that grants them.
func (h *ShadowSchema) CheckRights(ctx context.Context) error {
	ungranted, err := h.ungranted(ctx)
	if err != nil {
		return err
	}
	var missing []string
	for _, needed := range shadowRights(h.names.Schema()) {
		_, err := h.server.db.ExecContext(ctx, needed.statement)
		switch denied, absent := answerOfRight(err); {
		case denied, absent && slices.Contains(ungranted, needed.right):
			missing = append(missing, needed.right)
		case !absent:
			return fmt.Errorf("try the right %s on schema %s: %w", needed.right, h.names.Schema(), err)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	var account string
	if err := h.server.db.QueryRowContext(ctx, sqlAccount).Scan(&account); err != nil {
		return fmt.Errorf("read the account: %w", err)
	}
	return fmt.Errorf("%w: the database denies %s on schema %s to %s. Type there: %s", sale.ErrRights,
		strings.Join(missing, ", "), h.names.Schema(), account, grantOf(h.names.Schema(), account))
}

// ungranted returns the rights on the shadow's schema that the account lacks by its grants, where these decide: TiDB looks for
// the table first, and answers that there is none to an account that has no right on it.
func (h *ShadowSchema) ungranted(ctx context.Context) ([]string, error) {
	var version string
	if err := h.server.db.QueryRowContext(ctx, "SELECT VERSION()").Scan(&version); err != nil {
		return nil, fmt.Errorf("read the server's version: %w", err)
	}
	if !strings.Contains(version, "TiDB") {
		return nil, nil
	}
	grants, err := dsn.Grants(ctx, h.server.db)
	if err != nil {
		return nil, err
	}
	return dsn.MissingRights(grants, h.names.Schema(), rightsOf(shadowRights(h.names.Schema()))), nil
}

// grantOf is the statement that gives an account what a rehearsal needs.
func grantOf(schema, account string) string {
	user, host := account, "%"
	if at := strings.LastIndex(account, "@"); at >= 0 {
		user, host = account[:at], account[at+1:]
	}
	rights := strings.Join(rightsOf(shadowRights(schema)), ", ")
	return fmt.Sprintf("GRANT %s ON %s.* TO %s@%s;", rights, identifier(schema), literal(user), literal(host))
}

// answerOfRight says what the server's error means for a statement on a table that does not exist.
func answerOfRight(err error) (denied, absent bool) {
	var answer *mysql.MySQLError
	if !errors.As(err, &answer) {
		return false, false
	}
	switch answer.Number {
	case 1044, 1142, 1143, 1227:
		return true, false
	case 1049, 1051, 1109, 1146: // no such schema, no such table
		return false, true
	}
	return false, false
}
