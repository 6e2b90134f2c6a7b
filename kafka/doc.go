// Package kafka is what every client of Kafka in this process shares: the connection options (Options), the names and
// settings of the topics, and the two ways to produce.
//
// Producer sends the orders: records of single batches, each to the partition of its bucket, idempotent, each
// acknowledged separately. Sender sends pages of dead letters and events: it places records by their keys, sends one
// request to each broker, and acknowledges the page as a whole. Both return only when every replica has the records,
// and both report an unknown outcome as an error: the caller repeats the same bytes.
//
// The consumer group belongs to package settle, which takes Options.Config and adds its own settings.
package kafka
