// Package kafka holds what every client of Kafka in this process shares: how to reach the brokers (Options), the names and
// the settings of the topics, and the two ways to produce.
//
// Producer carries the orders: records of single batches, each to the partition of its bucket, idempotent, each answered by
// itself. Sender carries pages: dead letters and events, placed by their keys, one request for each broker, answered
// together. Both return only when every replica has the records, and both report an unknown outcome as an error: the caller
// repeats the same bytes.
//
// The consumer group belongs to package settle, which takes Options.Config and adds its own settings.
package kafka
