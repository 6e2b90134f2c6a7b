package store

import (
	"encoding/hex"
	"strings"
)

// Bounds of one statement. With rows of the longest size it stays below 1 MiB, the lowest packet limit of the servers.
const (
	maxRows  = 1000 // rows of one INSERT
	maxTerms = 100  // alternatives in one WHERE
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
// finds no range in (sale_id, sku, bucket) IN (…).
func inKeys(n int) string {
	return repeated("(", "(sale_id = ? AND sku = ? AND bucket = ?)", " OR ", n, ")")
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
