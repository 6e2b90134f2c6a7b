// Package fakes holds what the tests of reserve and recovery share: the database in memory with settlement and operators
// in one word each, and a Kafka that may go away.
package fakes
