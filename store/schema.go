package store

import (
	"context"
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

const sqlSchemaVersion = "SELECT MAX(version_id) FROM " + schemaTable

// Migrate brings the schema up to this binary's version. It may be run again at any time, and by several processes at
// once: one of them works, the others wait and find nothing to do.
func (s *Store) Migrate(ctx context.Context) error {
	provider, err := s.migrator()
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}

// CheckSchema returns an error that wraps sale.ErrSchema when the schema is older or newer than this binary, another
// error when the database could not be asked. It changes nothing.
func (s *Store) CheckSchema(ctx context.Context) error {
	provider, err := s.migrator()
	if err != nil {
		return fmt.Errorf("check schema: %w", err)
	}
	sources := provider.ListSources() // sorted by version
	wanted := sources[len(sources)-1].Version
	var present *int64
	err = s.db.QueryRowContext(ctx, sqlSchemaVersion).Scan(&present)
	switch {
	case err != nil && s.dialect.fault(err) == faultNoTable:
		return fmt.Errorf("check schema: %w: it is empty, wanted version %d", sale.ErrSchema, wanted)
	case err != nil:
		return fmt.Errorf("check schema: %w", err)
	case present == nil:
		return fmt.Errorf("check schema: %w: no migration has run, wanted version %d", sale.ErrSchema, wanted)
	case *present != wanted:
		return fmt.Errorf("check schema: %w: it is version %d, wanted %d", sale.ErrSchema, *present, wanted)
	}
	return nil
}

func (s *Store) migrator() (*goose.Provider, error) {
	files, err := fs.Sub(migrations, s.dialect.migrations)
	if err != nil {
		return nil, err
	}
	options := []goose.ProviderOption{
		goose.WithTableName(schemaTable), goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()),
	}
	if s.dialect.migrationLock != nil {
		options = append(options, goose.WithSessionLocker(s.dialect.migrationLock))
	}
	provider, err := goose.NewProvider(goose.Dialect(s.dialect.goose), s.db, files, options...)
	if err != nil {
		return nil, err
	}
	if len(provider.ListSources()) == 0 {
		return nil, errors.New("no migrations are embedded")
	}
	return provider, nil
}
