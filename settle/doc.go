// Package settle writes what was sold into the database, once.
//
// It is the consumer of the orders topic. One claim reads every partition that the consumer group gives to this process, and
// repeats three steps:
//
//	batch     take the records that wait already, bounded by orders and bytes; no timer, so an idle sale settles at once
//	          and a busy one in large transactions (batcher.go)
//	settle    write them in one transaction of the Store; repeat an error that may pass for as long as it takes; bisect an
//	          error in the data down to the one record that cannot settle (settling.go)
//	mark      mark the offset behind the last of them, only now (consumer.go)
//
// A record therefore ends in exactly one of three ways: settled, found settled already (its marker is there), or in the
// dead letters with its reason. The consumer skips none: a record that cannot be decided stays where it is and stops its
// partition.
//
// When a process dies, leaves the group or loses a commit of an offset, records arrive twice; the markers of the Store
// answer that. The consumer never replaces an offset that the topic does not have any more by another: Run ends with an
// OffsetError that says what was found, because only an operator can know which records are missing.
//
// The package speaks sarama through package kafka's options; it knows the database only through the Store interface.
package settle
