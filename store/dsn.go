package store

import (
	"fmt"

	"flashsale/dsn"
)

// SchemaOf returns the schema that a DSN of the Go MySQL driver names.
func SchemaOf(text string) (string, error) {
	name, err := dsn.Parse(text)
	if err != nil {
		return "", fmt.Errorf("read DSN: %w", err) // its errors do not repeat the DSN
	}
	return name.Config.DBName, nil
}

// InSchema returns a DSN that differs from the given one in the schema.
func InSchema(text, schema string) (string, error) {
	name, err := dsn.Parse(text)
	if err != nil {
		return "", fmt.Errorf("read DSN: %w", err)
	}
	name.Config.DBName = schema
	return name.Text(), nil
}
