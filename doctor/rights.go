package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"flashsale/dsn"
)

// databaseRights is which statements the account may not run.
type databaseRights struct {
	err    error               // the rights could not be asked for
	denied map[string][]string // by right: the tables
	ddl    []string            // of the rights that migrate needs, those that no grant names
	ddlErr error
}

const selectOf = "EXPLAIN SELECT 1 FROM `%s` WHERE 1 = 0"

// processRights are the rights of gateway, settle and deadletter, each with a statement of it. EXPLAIN checks the rights of a
// statement without running it. The statements name no column, so a schema of another version answers too.
var processRights = []struct{ right, statement string }{
	{"SELECT", selectOf},
	{"INSERT", "EXPLAIN INSERT INTO `%s` VALUES ()"},
	{"UPDATE", ""}, // names a column: see updateOf
	{"DELETE", "EXPLAIN DELETE FROM `%s` WHERE 1 = 0"},
}

// migrateRights are the rights that migrate needs beside those.
var migrateRights = []string{"CREATE", "ALTER", "INDEX"}

// readRights asks for every right on every table. Before the migration MySQL and MariaDB answer that the table is missing only
// to an account that has the right; TiDB answers so to every account, and there the grants decide.
func (r *databaseReader) readRights(ctx context.Context, schema Schema) {
	rights := &r.facts.rights
	rights.denied = map[string][]string{}
	tables, err := schema.Tables()
	if err != nil {
		rights.err = err
		return
	}
	grants, err := dsn.Grants(ctx, r.db)
	if err != nil {
		rights.ddlErr = err
	} else {
		rights.ddl = dsn.MissingRights(grants, r.facts.name, migrateRights)
	}
	for _, table := range tables {
		for _, of := range processRights {
			if err := r.tryRight(ctx, table, of.right, of.statement, grants); err != nil {
				rights.err = err
				return
			}
		}
	}
}

// tryRight notes a right that is denied. Its error means that the server stopped answering.
func (r *databaseReader) tryRight(ctx context.Context, table, right, statement string, grants []string) error {
	if right == "UPDATE" {
		column, err := r.columnOf(ctx, table)
		if err != nil {
			return err
		}
		statement = "EXPLAIN UPDATE `%s` SET `" + column + "` = `" + column + "` WHERE 1 = 0"
	}
	rows, err := r.db.QueryContext(ctx, fmt.Sprintf(statement, table))
	if err == nil {
		defer rows.Close()
		return rows.Err()
	}
	switch n := number(err); {
	case slices.Contains(deniedErrors, n),
		n == errNoTable && r.isTiDB() && grants != nil && len(dsn.MissingRights(grants, r.facts.name, []string{right})) > 0:
		r.facts.rights.denied[right] = append(r.facts.rights.denied[right], table)
		return nil
	case n != 0:
		return nil // a right is checked before the statement: missing tables, values without a default
	}
	return fmt.Errorf("ask for the right to %s %s: %w", right, table, err)
}

// errNoTable is the number of the error about a table that is not there.
const errNoTable = 1146

func (r *databaseReader) isTiDB() bool {
	return flavour(r.facts.variables["version"], r.facts.variables["version_comment"]) == "TiDB"
}

const sqlColumn = "SELECT COALESCE(MIN(column_name), 'id') FROM information_schema.columns WHERE table_schema = DATABASE() AND " +
	"table_name = ?"

// columnOf returns a column of a table that is there, and of one that is not, any name.
func (r *databaseReader) columnOf(ctx context.Context, table string) (column string, err error) {
	err = r.db.QueryRowContext(ctx, sqlColumn, table).Scan(&column)
	return column, err
}

const (
	whyGrants  = "A statement that is refused stops settlement or a request in the middle of a sale."
	whyMigrate = "Migrate creates and alters tables; gateway and settle do not."
)

func judgeRights(f *findings, facts databaseFacts) {
	rights := facts.rights
	grant := func(names []string) string {
		return "GRANT " + strings.Join(names, ", ") + " ON `" + facts.name + "`.* TO " + facts.account + ";"
	}
	var missing, found []string
	for _, of := range processRights {
		if tables := rights.denied[of.right]; len(tables) > 0 {
			missing = append(missing, of.right)
			found = append(found, of.right+" on "+strings.Join(tables, ", "))
		}
	}
	switch {
	case rights.err != nil:
		f.unknown("rights", whyGrants, "SHOW GRANTS;", rights.err)
	case len(missing) > 0:
		f.add(Danger, "rights", whyGrants, grant(missing), "%s may not %s", facts.account, strings.Join(found, "; "))
	default:
		f.add(OK, "rights", whyGrants, "", "%s may run every statement of the engine", facts.account)
	}
	switch {
	case rights.ddlErr != nil:
		f.unknown("migrate_rights", whyMigrate, "SHOW GRANTS;", rights.ddlErr)
	case len(rights.ddl) == 0:
		f.add(OK, "migrate_rights", whyMigrate, "", "%s may migrate", facts.account)
	default:
		level := either(isSchemaFault(facts.schemaErr), Warning)
		f.add(level, "migrate_rights", whyMigrate, grant(rights.ddl),
			"%s has no %s: give it these rights, or migrate an account of its own", facts.account, strings.Join(rights.ddl, ", "))
	}
}
