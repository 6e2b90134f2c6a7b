// Package embedded runs the stores of "flashsale dev" inside the process: miniredis for Redis, kfake for Kafka, and a SQLite
// file for the database. They are for trials and development; production and the full tests use the real servers.
//
// Kafka's records, topics and offsets and the database are files in one directory, because the engine's promises need them.
// They survive kill -9, but not a power cut, because Kafka's writes are not synced to the disk. Redis starts empty, and the
// engine rebuilds it from the other two, as after any loss of Redis.
//
// The rest of the code must allow for these differences from the real servers: Redis speaks RESP2 without client-side caching
// and has no INFO replication, so the engine does not compare the replication id; Kafka returns an error for an unknown
// consumer group, where a broker returns that it has no offset.
package embedded
