package terminal

import (
	"strings"
	"unicode"
)

// Plain replaces what a terminal would obey, such as an escape sequence in the name of a sale, and what would break a table.
func Plain(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\uFFFD' || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return '?'
		}
		return r
	}, text)
}
