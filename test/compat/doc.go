// Package compat runs the contract and end-to-end suites on the servers that shops run: each row of the matrix chooses kinds
// of servers from the table of test/harness, runs the suites that concern them, and becomes a line of a table with the
// servers' versions and the tests that passed and failed. docs/compatibility.md has the table of the last whole run.
//
// Nothing is skipped. A test that fails by a server's own fault is named in its row with the reason: it runs all the same, its
// failure does not fail the run, and its success does, because then the reason is wrong.
package compat
