package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"

	"flashsale/sale"
)

//go:embed migrations
var migrations embed.FS

const schemaTable = "schema_versions"

const (
	sqlSchemaVersion = "SELECT MAX(version_id) FROM " + schemaTable
	sqlZeroVersion   = "SELECT COUNT(*) FROM " + schemaTable + " WHERE version_id = 0"
	// The condition is no COALESCE of columns of both tables, which TiDB applies before the join (docs/compatibility.md).
	sqlTooNew = "SELECT COUNT(*) FROM " + schemaTable + " v LEFT JOIN schema_oldest o ON o.version_id = v.version_id" +
		" WHERE v.version_id > ? AND (o.oldest IS NULL OR o.oldest > ?)"
	sqlMendVersions = "INSERT INTO " + schemaTable + " (version_id, is_applied) VALUES (0, 1)"
)

// maxLockWaits times 10 seconds is how long a migration waits for that of another process.
const maxLockWaits = 12

// Migrate updates the schema to this binary's version. It is repeatable. If several processes call it at once, one of them
// migrates, and the others wait and find nothing to do. If the schema has tables with the engine's names that it did not
// create, Migrate changes nothing and returns an error that names them. The error wraps sale.ErrSchema if a newer binary has
// migrated the schema so that this one may not run on it.
func (s *Store) Migrate(ctx context.Context) error {
	s.migrating.Lock()
	defer s.migrating.Unlock()
	if s.options.Driver != DriverMySQL {
		return s.migrate(ctx)
	}
	options := s.options
	options.patient = true // a change of a table takes as long as the table is large, and waits for who reads it
	patient, err := Open(options)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return errors.Join(patient.migrate(ctx), patient.Close())
}

func (s *Store) migrate(ctx context.Context) error {
	provider, err := s.migrator()
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	unlock, err := s.lockMigrations(ctx)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	err = s.checkForeign(ctx, provider.ListSources())
	if err == nil {
		err = s.mendVersions(ctx)
	}
	if err == nil {
		err = s.refuseNewer(ctx, provider.ListSources())
	}
	if err == nil {
		_, err = provider.Up(ctx)
	}
	if err = errors.Join(err, unlock()); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}

// lockMigrations takes a lock of the server on a connection of its own; the lock ends with the connection. It does not use the
// locks of the library, which looks for pending migrations before it takes them.
func (s *Store) lockMigrations(ctx context.Context) (unlock func() error, err error) {
	if s.dialect.takeMigrationLock == "" {
		return func() error { return nil }, nil
	}
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	for range maxLockWaits {
		var taken sql.NullInt64
		if err := conn.QueryRowContext(ctx, s.dialect.takeMigrationLock).Scan(&taken); err != nil {
			return nil, errors.Join(fmt.Errorf("take the lock: %w", err), conn.Close())
		}
		if taken.Int64 == 1 {
			return func() error {
				given := conn.QueryRowContext(context.WithoutCancel(ctx), s.dialect.giveMigrationLock)
				return errors.Join(given.Scan(new(sql.NullInt64)), conn.Close())
			}, nil
		}
	}
	return nil, errors.Join(errors.New("another process is migrating"), conn.Close())
}

// mendVersions adds the first row of the table of versions. The library creates the table and that row in one transaction, but
// MySQL commits the table alone: a process that died in between has left a database that the library cannot migrate.
func (s *Store) mendVersions(ctx context.Context) error {
	var rows int
	err := s.db.QueryRowContext(ctx, sqlZeroVersion).Scan(&rows)
	if s.dialect.fault(err) == faultNoTable {
		return nil
	}
	if err == nil && rows == 0 {
		_, err = s.db.ExecContext(ctx, sqlMendVersions)
	}
	return err
}

// CheckSchema returns an error that wraps sale.ErrSchema if the schema is older than this binary, or newer without saying that
// this binary may run on it, and another error if a query fails. It changes nothing.
func (s *Store) CheckSchema(ctx context.Context) error {
	provider, err := s.migrator()
	if err != nil {
		return fmt.Errorf("check schema: %w", err)
	}
	wanted := newest(provider.ListSources())
	present, made, err := s.version(ctx)
	switch {
	case err != nil:
		return err
	case !made:
		return fmt.Errorf("check schema: %w: it is empty, wanted version %d: run flashsale migrate", sale.ErrSchema, wanted)
	case present == nil:
		return fmt.Errorf("check schema: %w: no migration has run, wanted version %d: run flashsale migrate", sale.ErrSchema,
			wanted)
	case *present < wanted:
		return fmt.Errorf("check schema: %w: it is version %d, wanted %d: run flashsale migrate", sale.ErrSchema, *present,
			wanted)
	case *present > wanted:
		return s.checkNewer(ctx, *present, wanted)
	}
	return nil
}

// newest returns the version that a list of migrations, sorted by version, leads to.
func newest(sources []*goose.Source) int64 { return sources[len(sources)-1].Version }

// version returns the schema's version: nil where no migration has run. made reports whether the table of versions exists.
func (s *Store) version(ctx context.Context) (version *int64, made bool, err error) {
	err = s.db.QueryRowContext(ctx, sqlSchemaVersion).Scan(&version)
	switch {
	case err == nil:
		return version, true, nil
	case s.dialect.fault(err) == faultNoTable:
		return nil, false, nil
	}
	return nil, false, fmt.Errorf("check schema: %w", err)
}

// refuseNewer returns an error if the schema is newer than these migrations and does not let their binary run on it.
func (s *Store) refuseNewer(ctx context.Context, sources []*goose.Source) error {
	present, _, err := s.version(ctx)
	if err != nil || present == nil || *present <= newest(sources) {
		return err
	}
	return s.checkNewer(ctx, *present, newest(sources))
}

// checkNewer returns nil if every migration that this binary does not know says that processes of its version may start. That
// makes an upgrade by steps possible, and a way back.
func (s *Store) checkNewer(ctx context.Context, present, wanted int64) error {
	var refusing int
	err := s.db.QueryRowContext(ctx, sqlTooNew, wanted, wanted).Scan(&refusing)
	if err != nil && s.dialect.fault(err) != faultNoTable {
		return fmt.Errorf("check schema: %w", err)
	}
	if err != nil || refusing > 0 {
		return fmt.Errorf("check schema: %w: it is version %d, wanted %d: a newer flashsale has migrated it, run that one",
			sale.ErrSchema, present, wanted)
	}
	return nil
}

func (s *Store) migrator() (*goose.Provider, error) {
	files, err := fs.Sub(migrations, s.dialect.migrations)
	if err != nil {
		return nil, err
	}
	provider, err := goose.NewProvider(goose.Dialect(s.dialect.goose), s.db, files, goose.WithTableName(schemaTable),
		goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return nil, err
	}
	if len(provider.ListSources()) == 0 {
		return nil, errors.New("no migrations are embedded")
	}
	return provider, nil
}
