// Package report writes a result as one HTML page: a verdict, sentences, tables and charts.
//
// The page needs nothing else: the style is inside it, each chart is inline SVG, and it has no script. The page is also
// well-formed XML, so that a program can read it. Every name is escaped, because sale and SKU names are other people's text.
package report
