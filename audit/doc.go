// Package audit reads Redis, Kafka and the database without the engine and judges whether they agree.
//
// It shares the nouns of package sale with the engine, and no code: it has its own SQL, its own parsing of records and
// of Redis's values, and another Kafka client. So a mistake in the hot path is not repeated in the check. It writes
// nothing.
//
// Each invariant of a sale is one line of the certificate: it holds, or it could not be judged because the sale was in
// motion. A violated one has a line for each SKU, bucket or order at fault. An invariant inside one
// database snapshot can always be judged; one that compares stores needs a reading at rest.
package audit
