// Package settle writes every sold order into the database once.
//
// It is the consumer of the orders topic. One claim reads each partition that the consumer group assigns to this
// process, and repeats three steps:
//
//	batch     take the records that are ready, bounded by orders and bytes; there is no timer, so an idle sale settles at
//	          once and a busy one in large transactions (batcher.go)
//	settle    write them in one transaction of the Store; repeat after a transient error, without a limit; bisect after an
//	          error in the data, down to the one record that cannot settle (settling.go)
//	mark      mark the offset after the last of them, only now (consumer.go)
//
// A record therefore ends in exactly one of three ways: settled, found settled already (its marker exists), or in the
// dead letters with its reason. The consumer skips no record: a record that cannot be decided stays in place and stops
// its partition.
//
// When a process dies, leaves the group or loses a commit of an offset, records are delivered twice; the markers of the
// Store make the second delivery harmless. The consumer never replaces an offset that the topic no longer has by
// another: Run ends with an OffsetError that names what was found, because only an operator can determine which records
// are missing.
//
// The package uses sarama through package kafka's options, and the database only through the Store interface.
package settle
