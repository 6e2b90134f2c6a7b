// Package terminal writes what a terminal shows of sales: one line for a change, tables, and the live screen of flashsale top. It
// reads the answers of the operators' API and asks nothing by itself.
package terminal
