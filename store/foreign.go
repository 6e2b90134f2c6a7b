package store

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/pressly/goose/v3"
)

// checkForeign returns an error that names the foreign tables. Migrate changes nothing before it returns nil, so a schema with
// a shop's own orders stays unchanged.
func (s *Store) checkForeign(ctx context.Context, sources []*goose.Source) error {
	foreign, err := s.foreignTables(ctx, sources)
	if err != nil || len(foreign) == 0 {
		return err
	}
	return fmt.Errorf("the schema holds tables that have names of the engine's tables and are not its own: %s; nothing was "+
		"changed. The engine needs a schema of its own: create one and name it in mysql.dsn", strings.Join(foreign, ", "))
}

// ForeignTables names the tables with which Migrate would refuse the schema, sorted: those that have a name of the engine's
// tables and that the engine has not made. It changes nothing.
func (s *Store) ForeignTables(ctx context.Context) ([]string, error) {
	provider, err := s.migrator()
	if err != nil {
		return nil, fmt.Errorf("look for foreign tables: %w", err)
	}
	return s.foreignTables(ctx, provider.ListSources())
}

// Tables names the tables that the migrations make, sorted, without the table of versions.
func (s *Store) Tables() ([]string, error) {
	provider, err := s.migrator()
	if err != nil {
		return nil, fmt.Errorf("name the tables: %w", err)
	}
	all := map[string]bool{}
	for _, source := range provider.ListSources() {
		made, err := tablesMadeBy(source.Path, s.dialect)
		if err != nil {
			return nil, err
		}
		for table := range made {
			all[table] = true
		}
	}
	return slices.Sorted(maps.Keys(all)), nil
}

// foreignTables names the tables which have a name of the engine's tables and which the engine has not made.
//
// A table is the engine's if its migration has a row in the table of versions. MySQL commits each statement of a migration, so
// a process that died during one leaves tables without that row. foreignTables recognizes them by their columns and by the
// table of versions, which the migration makes first.
func (s *Store) foreignTables(ctx context.Context, sources []*goose.Source) ([]string, error) {
	present, err := s.presentTables(ctx)
	if err != nil {
		return nil, fmt.Errorf("look for existing tables: %w", err)
	}
	versions, hasVersions := present[schemaTable]
	begun := hasVersions && sameNames(versions, versionColumns)
	version := int64(-1)
	if begun {
		if version, err = s.newestVersion(ctx); err != nil {
			return nil, fmt.Errorf("read the table of versions: %w", err)
		}
	}
	var foreign []string
	if hasVersions && !begun {
		foreign = append(foreign, schemaTable)
	}
	for _, source := range sources {
		if source.Version <= version {
			continue
		}
		made, err := tablesMadeBy(source.Path, s.dialect)
		if err != nil {
			return nil, err
		}
		for _, table := range slices.Sorted(maps.Keys(made)) {
			columns, there := present[table]
			if there && (version < 0 || !sameNames(columns, made[table])) {
				foreign = append(foreign, table)
			}
		}
	}
	slices.Sort(foreign)
	return foreign, nil
}

// versionColumns are the columns of the table of versions, which the library makes.
var versionColumns = []string{"id", "version_id", "is_applied", "tstamp"}

// presentTables returns the columns of every table and view of the schema, by the name that the server uses.
func (s *Store) presentTables(ctx context.Context) (map[string][]string, error) {
	present := map[string][]string{}
	err := each(ctx, s.db, s.dialect.columns, nil, func(rows scanner) error {
		var table, column string
		var folds bool
		err := rows.Scan(&table, &column, &folds)
		if folds {
			table = strings.ToLower(table)
		}
		present[table] = append(present[table], strings.ToLower(column))
		return err
	})
	return present, err
}

// newestVersion returns the version of the last migration that has a row, -1 if there is no row because no migration has
// begun.
func (s *Store) newestVersion(ctx context.Context) (version int64, err error) {
	err = s.db.QueryRowContext(ctx, "SELECT COALESCE(MAX(version_id), -1) FROM "+schemaTable).Scan(&version)
	return version, err
}

var (
	tableMade  = regexp.MustCompile(`(?ms)^CREATE TABLE (?:IF NOT EXISTS )?(\w+) \(\n(.*?)^\)`)
	columnMade = regexp.MustCompile(`(?m)^  ([a-z]\w*) `)
)

// tablesMadeBy reads the tables that a migration creates, with their columns, from its text.
func tablesMadeBy(name string, d *dialect) (map[string][]string, error) {
	text, err := fs.ReadFile(migrations, d.migrations+"/"+name)
	if err != nil {
		return nil, fmt.Errorf("read migration %s: %w", name, err)
	}
	made := map[string][]string{}
	for _, table := range tableMade.FindAllStringSubmatch(string(text), -1) {
		for _, column := range columnMade.FindAllStringSubmatch(table[2], -1) {
			made[table[1]] = append(made[table[1]], column[1])
		}
	}
	return made, nil
}

// sameNames reports whether two lists hold the same names, in any order.
func sameNames(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}
