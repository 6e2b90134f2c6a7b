// Package fakes holds a database and a Kafka in memory that tests of the rooms can break.
package fakes
