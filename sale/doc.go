// Package sale holds the nouns of the engine: sale, item, bucket, order, batch record, outcome and the stock equation.
//
// It imports the standard library and the Snowflake id generator only, and nothing of ours, so every other package can
// speak the same words. A type lives here when it crosses a boundary between two packages; what only one package needs
// stays there.
package sale
