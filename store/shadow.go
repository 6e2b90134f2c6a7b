package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"flashsale/sale"
)

// shadowMark is the table by which a rehearsal knows its schema. Its comment says whose shadow it is, so that one statement
// makes both: there is no moment in which the table exists and does not say so.
const shadowMark = "rehearsal"

const (
	sqlSchemaThere = "SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = ?"
	sqlShadowBeat  = "REPLACE INTO " + shadowMark + " (id, alive_ms) VALUES (1, %s)"
	sqlShadowAge   = "SELECT COALESCE(MIN(%s - alive_ms), -1) FROM " + shadowMark
	sqlDropMark    = "DROP TABLE " + shadowMark

	// sqlTables names each table of a schema with its comment, in any case of the letters that the server keeps.
	sqlTables = "SELECT table_name, table_comment FROM information_schema.tables WHERE table_schema = ? ORDER BY table_name"
)

// ShadowSchema is the schema of rehearsals, beside that of the real engine on the same server.
type ShadowSchema struct {
	server *Store // connected to the real schema
	names  sale.Shadow
	db     *Store // connected to the shadow's schema
}

// ShadowRemains is what an earlier rehearsal has left.
type ShadowRemains struct {
	Age        time.Duration // since it was alive last; below 0 when it never said so
	madeSchema bool
}

// Shadow returns the schema of rehearsals on this database's server. It connects to nothing. The error names a database that
// has no schemas beside it, or one that is not the real engine's of names.
func (s *Store) Shadow(names sale.Shadow) (*ShadowSchema, error) {
	if s.options.Driver != DriverMySQL {
		return nil, errors.New("a rehearsal needs a database server: an embedded database has no schema beside it")
	}
	present, err := SchemaOf(s.options.DSN)
	if err != nil {
		return nil, err
	}
	if _, schema := names.Real(); schema != present {
		return nil, fmt.Errorf("the database is schema %q, and the rehearsal is one of %q", present, schema)
	}
	dsn, err := InSchema(s.options.DSN, names.Schema())
	if err != nil {
		return nil, err
	}
	options := s.options
	options.DSN = dsn
	db, err := Open(options)
	if err != nil {
		return nil, err
	}
	return &ShadowSchema{server: s, names: names, db: db}, nil
}

// Store returns the database of the shadow; before Make it has no schema.
func (h *ShadowSchema) Store() *Store { return h.db }

// Close closes the connections to the shadow's schema.
func (h *ShadowSchema) Close() error { return h.db.Close() }

// Remains returns what an earlier rehearsal left, nil where the schema is absent or empty. A schema with tables and without
// this engine's mark belongs to another program: the error names its tables.
func (h *ShadowSchema) Remains(ctx context.Context) (*ShadowRemains, error) {
	tables, err := h.tables(ctx)
	if err != nil || len(tables) == 0 {
		return nil, err
	}
	comment, marked := tables[shadowMark]
	if made := strings.TrimPrefix(comment, h.mark()); marked && made != comment {
		remains := &ShadowRemains{madeSchema: made == madeSchema}
		var age int64
		err := h.db.db.QueryRowContext(ctx, fmt.Sprintf(sqlShadowAge, h.db.dialect.nowMS)).Scan(&age)
		if err != nil {
			return nil, fmt.Errorf("read when the rehearsal in schema %s was alive: %w", h.names.Schema(), err)
		}
		remains.Age = time.Duration(age) * time.Millisecond
		return remains, nil
	}
	return nil, fmt.Errorf("schema %s holds tables that no rehearsal of this engine made: %s. Nothing was changed: move them, "+
		"or drop the schema", h.names.Schema(), strings.Join(sortedNames(tables), ", "))
}

// The end of the mark's comment.
const (
	madeSchema  = "; the rehearsal made the schema"
	foundSchema = "; the rehearsal found the schema empty"
)

// mark returns the beginning of the comment by which the shadow's tables are recognized.
func (h *ShadowSchema) mark() string {
	namespace, schema := h.names.Real()
	return "flashsale rehearsal of namespace " + namespace + ", schema " + schema
}

// tables returns the tables of the shadow's schema with their comments, none where the schema is absent.
func (h *ShadowSchema) tables(ctx context.Context) (map[string]string, error) {
	found := map[string]string{}
	err := each(ctx, h.server.db, sqlTables, []any{h.names.Schema()}, func(rows scanner) error {
		var table, comment string
		err := rows.Scan(&table, &comment)
		found[strings.ToLower(table)] = comment
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list the tables of schema %s: %w", h.names.Schema(), err)
	}
	return found, nil
}

// Keys returns what identifies the shadow's keys in Redis: the id of its engine and its sales. ok is false where the tables
// that say so do not exist, or not any more: then there are no keys.
func (h *ShadowSchema) Keys(ctx context.Context) (engine string, sales []sale.Sale, ok bool, err error) {
	engine, err = h.db.EngineID(ctx)
	var archived []sale.Sale
	if err == nil {
		sales, err = h.db.Sales(ctx)
	}
	if err == nil {
		archived, err = h.db.ArchivedSales(ctx)
	}
	switch {
	case err == nil:
		return engine, append(sales, archived...), true, nil
	case h.db.dialect.fault(err) == faultNoTable || isNoRows(err):
		return "", nil, false, nil
	}
	return "", nil, false, err
}

// Make makes the schema where it is absent, marks it and migrates it. The schema must be absent or empty.
func (h *ShadowSchema) Make(ctx context.Context) error {
	if err := h.names.GuardSchema(h.names.Schema()); err != nil {
		return err
	}
	var there int
	if err := h.server.db.QueryRowContext(ctx, sqlSchemaThere, h.names.Schema()).Scan(&there); err != nil {
		return fmt.Errorf("look for schema %s: %w", h.names.Schema(), err)
	}
	made := foundSchema
	if there == 0 {
		made = madeSchema
		statement := "CREATE DATABASE " + identifier(h.names.Schema()) + " CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
		if _, err := h.server.db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("make schema %s: %w", h.names.Schema(), err)
		}
	}
	statement := "CREATE TABLE " + shadowMark + " (id INT PRIMARY KEY, alive_ms BIGINT NOT NULL) COMMENT = " +
		literal(h.mark()+made)
	if _, err := h.db.db.ExecContext(ctx, statement); err != nil {
		return fmt.Errorf("mark schema %s: %w", h.names.Schema(), err)
	}
	if err := h.Beat(ctx); err != nil {
		return err
	}
	return h.db.Migrate(ctx)
}

// Beat notes that the rehearsal is alive.
func (h *ShadowSchema) Beat(ctx context.Context) error {
	if _, err := h.db.db.ExecContext(ctx, fmt.Sprintf(sqlShadowBeat, h.db.dialect.nowMS)); err != nil {
		return fmt.Errorf("note that the rehearsal is alive: %w", err)
	}
	return nil
}

// Remove drops the tables that a rehearsal made, and the schema when a rehearsal made it. It is repeatable, also after it was
// interrupted: the mark goes last. A table of another program stays, and with it the schema: the error names it.
func (h *ShadowSchema) Remove(ctx context.Context) error {
	if err := h.names.GuardSchema(h.names.Schema()); err != nil {
		return err
	}
	remains, err := h.Remains(ctx)
	if err != nil || remains == nil {
		return err
	}
	ours, err := h.db.tablesOfTheEngine()
	if err != nil {
		return err
	}
	tables, err := h.tables(ctx)
	if err != nil {
		return err
	}
	for _, table := range sortedNames(tables) {
		if !slices.Contains(ours, table) {
			continue
		}
		if _, err := h.db.db.ExecContext(ctx, "DROP TABLE "+identifier(table)); err != nil {
			return fmt.Errorf("drop table %s of schema %s: %w", table, h.names.Schema(), err)
		}
		delete(tables, table)
	}
	delete(tables, shadowMark)
	if len(tables) > 0 || !remains.madeSchema {
		if _, err := h.db.db.ExecContext(ctx, sqlDropMark); err != nil {
			return fmt.Errorf("drop the mark of schema %s: %w", h.names.Schema(), err)
		}
	} else if _, err := h.server.db.ExecContext(ctx, "DROP DATABASE "+identifier(h.names.Schema())); err != nil {
		return fmt.Errorf("drop schema %s: %w", h.names.Schema(), err)
	}
	if len(tables) > 0 {
		return fmt.Errorf("schema %s stays, because it holds tables that no rehearsal made: %s", h.names.Schema(),
			strings.Join(sortedNames(tables), ", "))
	}
	return nil
}

// tablesOfTheEngine returns the names of all tables that the migrations make.
func (s *Store) tablesOfTheEngine() ([]string, error) {
	provider, err := s.migrator()
	if err != nil {
		return nil, err
	}
	names := []string{schemaTable}
	for _, source := range provider.ListSources() {
		made, err := tablesMadeBy(source.Path, s.dialect)
		if err != nil {
			return nil, err
		}
		names = append(names, sortedNames(made)...)
	}
	return names, nil
}

func sortedNames[V any](of map[string]V) []string {
	names := make([]string, 0, len(of))
	for name := range of {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// identifier quotes a name for a statement.
func identifier(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

var unquotable = regexp.MustCompile(`['\\]`)

// literal quotes a text for a statement that takes no arguments.
func literal(text string) string { return "'" + unquotable.ReplaceAllString(text, "${0}${0}") + "'" }

// isLocked reads the answer of GET_LOCK or IS_USED_LOCK.
func isLocked(answer sql.NullInt64) bool { return answer.Valid && answer.Int64 != 0 }
