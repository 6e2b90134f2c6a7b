// Package harness starts what tests need and cannot fake: private copies of Redis, MariaDB, Kafka and nginx on free loopback
// ports, and the built binary.
//
// Where a server comes from, in this order: the address in the environment (FLASHSALE_TEST_REDIS, FLASHSALE_TEST_MYSQL
// as a driver DSN, FLASHSALE_TEST_KAFKA), the binary on this machine, an installation (Debian packages as root; Kafka's
// jars through Maven into the user's cache folder). When all three fail the test fails with the line to type: a missing
// server never skips a test.
//
// Two kinds of servers:
//
//   - Shared… returns one server for all tests of a package, from the environment when it names one. Tests keep apart by
//     namespaces, schemas and topics of their own, and never stop it. A package that uses them calls Main from TestMain,
//     which ends them.
//   - Redis, RedisCluster, MariaDB and Kafka start a server that belongs to one test, which may kill, pause and restart
//     it. It is always a process of the harness, because a foreign server is not ours to kill.
//
// Every process is ended by its own id, at the latest when the test process dies (Linux). Folders live under the
// temporary directory and are kept, and named in the log, when the test failed.
package harness
