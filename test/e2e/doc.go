// Package e2e drives the built binary from outside, as shops, operators and buyers do, on real Redis, Kafka and MariaDB,
// and kills every process and server that may die by the promise. It judges a run by two sources only: the history of the
// answers, and the rows of the database.
//
// Every test has a stack of its own (namespace, schema, processes); a test that stops a server has that server to itself as
// well.
package e2e
