package sale

import (
	"errors"
	"fmt"
	"strings"
)

// Ends of the names of a rehearsal's shadow. Nothing of the real engine ends so.
const (
	shadowNamespaceEnd = ".rehearsal"
	shadowSchemaEnd    = "_rehearsal"

	maxNamespaceBytes = 64 // of the setting
	maxSchemaBytes    = 64 // of MySQL
)

// ErrNotShadow is the error of removing something that does not belong to a rehearsal.
var ErrNotShadow = errors.New("does not belong to a rehearsal")

// Shadow names what a rehearsal of a deployment makes on the same servers. What removes a part of it takes a Shadow and asks
// its guards first, so that no removal can reach the real namespace or schema. The zero Shadow guards against everything.
type Shadow struct{ namespace, schema string } // of the real engine

// ShadowOf returns the names of the rehearsals of an engine. It returns an error for an engine that is itself a shadow, and for
// names that are too long for an end.
func ShadowOf(namespace, schema string) (Shadow, error) {
	switch {
	case namespace == "" || schema == "":
		return Shadow{}, errors.New("a rehearsal needs the namespace and the schema of the real engine")
	case strings.HasSuffix(namespace, shadowNamespaceEnd):
		return Shadow{}, fmt.Errorf("namespace %s is that of a rehearsal, which cannot be rehearsed", namespace)
	case strings.HasSuffix(strings.ToLower(schema), shadowSchemaEnd):
		return Shadow{}, fmt.Errorf("schema %s is that of a rehearsal, which cannot be rehearsed", schema)
	case len(namespace)+len(shadowNamespaceEnd) > maxNamespaceBytes:
		return Shadow{}, fmt.Errorf("namespace %s is too long: with %s it has more than %d bytes", namespace,
			shadowNamespaceEnd, maxNamespaceBytes)
	case len(schema)+len(shadowSchemaEnd) > maxSchemaBytes:
		return Shadow{}, fmt.Errorf("schema %s is too long: with %s it has more than %d bytes", schema, shadowSchemaEnd,
			maxSchemaBytes)
	}
	return Shadow{namespace, schema}, nil
}

// Namespace returns the namespace of the rehearsals.
func (s Shadow) Namespace() string { return s.namespace + shadowNamespaceEnd }

// Schema returns the schema of the rehearsals.
func (s Shadow) Schema() string { return s.schema + shadowSchemaEnd }

// Real returns the namespace and the schema of the engine that is rehearsed.
func (s Shadow) Real() (namespace, schema string) { return s.namespace, s.schema }

// GuardNamespace returns nil only for the namespace of the rehearsals.
func (s Shadow) GuardNamespace(name string) error {
	return guard("namespace", name, s.namespace, shadowNamespaceEnd)
}

// GuardSchema returns nil only for the schema of the rehearsals.
func (s Shadow) GuardSchema(name string) error {
	return guard("schema", name, s.schema, shadowSchemaEnd)
}

func guard(what, name, realName, end string) error {
	if realName == "" || strings.EqualFold(name, realName) || name != realName+end {
		return fmt.Errorf("%s %q %w of %q: nothing of it is removed", what, name, ErrNotShadow, realName)
	}
	return nil
}
