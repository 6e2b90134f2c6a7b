package store

import (
	"fmt"

	"github.com/go-sql-driver/mysql"
)

// SchemaOf returns the schema that a DSN of the Go MySQL driver names.
func SchemaOf(dsn string) (string, error) {
	config, err := mysql.ParseDSN(dsn)
	if err != nil {
		return "", fmt.Errorf("read DSN: %w", err) // the driver's errors do not repeat the DSN
	}
	return config.DBName, nil
}

// InSchema returns a DSN that differs from the given one in the schema.
func InSchema(dsn, schema string) (string, error) {
	config, err := mysql.ParseDSN(dsn)
	if err != nil {
		return "", fmt.Errorf("read DSN: %w", err)
	}
	config.DBName = schema
	return config.FormatDSN(), nil
}
