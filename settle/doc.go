// Package settle writes what was sold into the database, once.
//
// It is the consumer of the orders topic. Every partition that the consumer group gives to this process is read by one
// claim, which repeats three steps:
//
//	gather    the records that wait already, bounded by orders and bytes; no timer, so an idle sale settles at once
//	          and a busy one in large transactions
//	settle    them in one transaction of the Books; an error that may pass is tried again for as long as it takes, an
//	          error in the data is bisected down to the one record that cannot settle
//	mark      the offset behind the last of them, only now
//
// A record therefore ends in exactly one of three ways: settled, found settled already (its marker is there), or in the
// dead letters with its reason. None is skipped: what cannot be decided stays where it is and stops its partition.
//
// A process that dies, is thrown out of the group or loses a commit of an offset makes records arrive twice; the markers
// of the Books answer that. An offset that the topic does not have any more is never replaced by another: Run ends with
// an OffsetError that says what was found, because only an operator can know which records are missing.
//
// The package speaks sarama; it knows the database only through the Books interface.
package settle
