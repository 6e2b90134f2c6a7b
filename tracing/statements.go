package tracing

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"strconv"
	"strings"

	"github.com/XSAM/otelsql"
	"github.com/go-sql-driver/mysql"
	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.40.0"
	"go.opentelemetry.io/otel/trace"
)

// OpenDB opens a pool whose statements are spans when they run under one. system is the value of db.system.name. The spans have
// neither the text nor the values of a statement, nor the server's message, because all three contain buyers' ids.
func (t *Tracer) OpenDB(c driver.Connector, system string) *sql.DB {
	if t == nil {
		return sql.OpenDB(c)
	}
	return otelsql.OpenDB(c, t.statementOptions(system)...)
}

// Open is OpenDB for a driver that has no connector. The driver's name is the value of db.system.name.
func (t *Tracer) Open(name, dsn string) (*sql.DB, error) {
	if t == nil {
		return sql.Open(name, dsn)
	}
	return otelsql.Open(name, dsn, t.statementOptions(name)...)
}

func (t *Tracer) statementOptions(system string) []otelsql.Option {
	return []otelsql.Option{
		otelsql.WithTracerProvider(t.provider),
		otelsql.WithAttributes(semconv.DBSystemNameKey.String(system)),
		otelsql.WithSpanNameFormatter(func(_ context.Context, method otelsql.Method, query string) string {
			return nameOfStatement(method, query)
		}),
		otelsql.WithAttributesGetter(func(_ context.Context, _ otelsql.Method, query string, _ []driver.NamedValue,
		) []attribute.KeyValue {
			return attributesOfStatement(query)
		}),
		otelsql.WithSpanErrorAttributesGetter(attributesOfFault),
		otelsql.WithSpanOptions(otelsql.SpanOptions{
			DisableQuery: true, OmitConnResetSession: true, OmitConnPrepare: true, OmitRows: true, OmitConnectorConnect: true,
			RecordError: func(error) bool { return false },
			SpanFilter: func(ctx context.Context, _ otelsql.Method, _ string, _ []driver.NamedValue) bool {
				return trace.SpanFromContext(ctx).IsRecording()
			},
		}),
	}
}

// nameOfStatement is "INSERT orders" for a statement, and the word of the driver's method for a call without one.
func nameOfStatement(method otelsql.Method, query string) string {
	switch operation, table := summarise(query); {
	case operation == "":
		return strings.ToUpper(string(method[strings.LastIndexByte(string(method), '.')+1:]))
	case table == "":
		return operation
	default:
		return operation + " " + table
	}
}

func attributesOfStatement(query string) []attribute.KeyValue {
	operation, table := summarise(query)
	if operation == "" {
		return nil
	}
	of := []attribute.KeyValue{semconv.DBOperationName(operation)}
	if table != "" {
		of = append(of, semconv.DBCollectionName(table))
	}
	return of
}

// summaryWords bounds the words of a statement in which summarise looks for the table.
const summaryWords = 64

// summarise returns the first word of a statement, and the table that it changes, or the first that it reads.
func summarise(query string) (operation, table string) {
	words := 0
	before := ""
	for word := range strings.FieldsSeq(query) {
		if words++; words > summaryWords {
			break
		}
		upper := strings.ToUpper(word)
		switch before {
		case "":
			operation = upper
		case "INTO", "FROM", "UPDATE":
			if upper != "IGNORE" && upper[0] != '(' {
				return operation, strings.Trim(word, "`(),;")
			}
		}
		before = upper
	}
	return operation, ""
}

// attributesOfFault names an error by its number.
func attributesOfFault(err error) []attribute.KeyValue {
	var refused *mysql.MySQLError
	switch {
	case errors.Is(err, driver.ErrSkip):
		return nil // the driver's way to say that it prepares the statement first
	case errors.As(err, &refused):
		number := strconv.Itoa(int(refused.Number))
		return []attribute.KeyValue{semconv.ErrorTypeKey.String(number), semconv.DBResponseStatusCode(number)}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return []attribute.KeyValue{semconv.ErrorTypeKey.String("timeout")}
	}
	return []attribute.KeyValue{semconv.ErrorTypeKey.String("connection")}
}
