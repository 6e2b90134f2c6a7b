// Package audit reads Redis, Kafka and the database for itself and judges whether they tell one story.
//
// It shares the nouns with the rest of the engine and no code: its own SQL, its own reading of records and of Redis, another
// Kafka client. So a mistake in the hot path's way of counting does not repeat itself in the check. It writes nothing.
//
// Each invariant is one line of the certificate: it holds, it is violated, or it could not be judged because the sale was
// still in motion. What stands in one database snapshot can always be judged; what compares stores needs a moment of rest.
package audit
