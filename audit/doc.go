// Package audit reads Redis, Kafka and the database without the engine and judges whether they agree.
//
// It shares the nouns of package sale with the engine, and no code: it has its own SQL, its own parsing of records and
// of Redis's values, and another Kafka client. So a mistake in the hot path is not repeated in the check. It writes
// nothing.
//
// A reading takes the database, Redis and the topic at the same time. It keeps each order of each store as a struct of fixed
// size: buyers, keys and sets of lines are numbers of one dictionary (words), in which each text is in memory once. Sorted by
// order id, the three lists are compared by merging. A million orders with buyer ids and keys of 36 bytes take some 230 MB.
//
// Each invariant of a sale is one line of the certificate: it holds, or it could not be judged because the sale was in
// motion. A violated one has a line for each SKU, bucket or order at fault. An invariant inside one
// database snapshot can always be judged; one that compares stores needs a reading at rest.
package audit
