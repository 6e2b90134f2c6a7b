// Package sale holds the nouns of the engine: sale, item, bucket, order, batch record, outcome and the stock equation.
//
// It imports the standard library and the Snowflake id generator only, so every other package can use its types. A type
// belongs here if two packages share it.
package sale
