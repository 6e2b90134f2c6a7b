// Package doctor looks at Redis, Kafka, the database, the clocks and this machine as an operator does, and says which settings
// endanger a sale. It reads with clients of its own and writes nothing.
//
// Each store is read into facts, and functions without side effects judge the facts. A check that a server does not allow is
// Unknown and names the right that it needs. A store that does not answer is a Danger with its address, and the others are
// judged all the same. Examine works before and after the schema is migrated.
package doctor
