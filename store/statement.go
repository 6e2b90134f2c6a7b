package store

import (
	"encoding/hex"
	"slices"
	"strings"
)

// Bounds of one statement. With rows of the longest size it stays below 1 MiB, the lowest packet limit of the servers.
const (
	maxRows  = 1000 // rows of one INSERT
	maxTerms = 100  // alternatives in one WHERE or CASE
	maxIDs   = 500  // values of one IN list; MariaDB turns 1000 into a derived table
)

// repeated returns head, then part n times with separator between, then tail.
func repeated(head, part, separator string, n int, tail string) string {
	var b strings.Builder
	b.Grow(len(head) + n*(len(part)+len(separator)) + len(tail))
	b.WriteString(head)
	for i := range n {
		if i > 0 {
			b.WriteString(separator)
		}
		b.WriteString(part)
	}
	b.WriteString(tail)
	return b.String()
}

// placeholders returns "?,?,…" for an IN list of n values.
func placeholders(n int) string { return repeated("", "?", ",", n, "") }

// inKeys returns a condition that is true for the rows of n bucket keys. It consists of alternatives, because MariaDB 10.11
// finds no range in (sale_id, bucket) IN (…).
func inKeys(n int) string {
	return repeated("(", "(sale_id = ? AND bucket = ?)", " OR ", n, ")")
}

// rowsWanted is rows to find: those whose first columns are key and whose next column is one of values.
type rowsWanted struct {
	key, values []any
}

// eachWhere calls run with conditions that together are true for all wanted rows, each of at most maxTerms alternatives and
// maxIDs values. form is an alternative up to its IN list: "(column = ? AND other IN (".
func eachWhere(form string, all []rowsWanted, run func(where string, args []any) error) error {
	var where strings.Builder
	var args []any
	terms, values := 0, 0
	flush := func() error {
		if terms == 0 {
			return nil
		}
		err := run("("+where.String()+")", args)
		where.Reset()
		args, terms, values = nil, 0, 0
		return err
	}
	for _, w := range all {
		for chunk := range slices.Chunk(w.values, maxIDs) {
			if terms == maxTerms || values+len(chunk) > maxIDs {
				if err := flush(); err != nil {
					return err
				}
			}
			if terms > 0 {
				where.WriteString(" OR ")
			}
			where.WriteString(repeated(form, "?", ",", len(chunk), "))"))
			args = append(append(args, w.key...), chunk...)
			terms, values = terms+1, values+len(chunk)
		}
	}
	return flush()
}

// appendText writes a string literal that every database reads alike with any settings: printable ASCII without a backslash in
// quotes, any other text, which no validated record has, as bytes.
func appendText(b []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < 0x20 || c > 0x7e || c == '\\' {
			b = append(b, "CAST(x'"...)
			return append(hex.AppendEncode(b, []byte(text)), "' AS CHAR)"...)
		}
	}
	b = append(b, '\'')
	for quote := strings.IndexByte(text, '\''); quote >= 0; quote = strings.IndexByte(text, '\'') {
		b = append(append(b, text[:quote+1]...), '\'')
		text = text[quote+1:]
	}
	return append(append(b, text...), '\'')
}
