// Package e2e drives the built binary from outside, as shops, operators and buyers do, on real Redis, Kafka and MariaDB,
// and kills whatever the promise says may die. What happened is judged from two sources only: the history of what
// buyers were told, and the rows of the database.
//
// Every test has a stack of its own (namespace, schema, processes); where a test stops a server, that server is its own
// as well.
package e2e
