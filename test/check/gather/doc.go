// Package gather reads evidence out of the stores of a run for package check, past the code under test: rows and counters
// with plain SQL, a bucket's life and owners with plain commands of Redis, records by the formats that docs describe.
package gather
