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

// checkForeign returns an error that names the tables which have a name of the engine's and were not made by it. Nothing
// is changed before it returns nil: a schema with a shop's own orders in it is left as it is.
//
// A table is the engine's when its migration has a row in the table of versions. Those of a migration without a row are
// what a process left that died half-way, because MySQL commits each of them alone: they are known by their columns, and
// by the table of versions, which is made before them.
func (s *Store) checkForeign(ctx context.Context, sources []*goose.Source) error {
	present, err := s.presentTables(ctx)
	if err != nil {
		return fmt.Errorf("look for tables that are there already: %w", err)
	}
	versions, hasVersions := present[schemaTable]
	begun := hasVersions && sameNames(versions, versionColumns)
	version := int64(-1)
	if begun {
		if version, err = s.newestVersion(ctx); err != nil {
			return fmt.Errorf("read the table of versions: %w", err)
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
			return err
		}
		for _, table := range slices.Sorted(maps.Keys(made)) {
			columns, there := present[table]
			if there && (version < 0 || !sameNames(columns, made[table])) {
				foreign = append(foreign, table)
			}
		}
	}
	if len(foreign) == 0 {
		return nil
	}
	slices.Sort(foreign)
	return fmt.Errorf("the schema holds tables of the engine's names that it has not made: %s; nothing was changed. The engine "+
		"needs a schema of its own: create one and name it in mysql.dsn", strings.Join(foreign, ", "))
}

// versionColumns are those of the table of versions, as the library makes it.
var versionColumns = []string{"id", "version_id", "is_applied", "tstamp"}

// presentTables returns the columns of every table and view of the schema, under the name by which the server finds it.
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

// newestVersion returns the version of the last migration that has a row, -1 where not even the first row is there: then
// no migration has begun.
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
