// Package embedded runs the engines of "flashsale dev" inside the process: miniredis for Redis, kfake for Kafka, and a
// SQLite file for the database. They are for trying and developing; production and the full tests use the real ones.
//
// What outlives the process is what the engine's promises need. Kafka's records, topics and offsets and the database are
// files in one directory and survive kill -9 (not a power cut: nothing is forced to the disk). Redis starts empty every
// time and is rebuilt from the other two, as after any loss of Redis.
//
// Differences from the real servers that the rest of the code must allow for: Redis speaks RESP2 without client-side
// caching and hides INFO replication, so the replication id is not compared; Kafka calls a consumer group that has never
// been seen an error, where a broker says that it has no offset.
package embedded
