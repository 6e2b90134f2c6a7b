// Package harness starts what tests need and cannot fake: private copies of Redis, MariaDB, Kafka and nginx on free loopback
// ports, and the built binary. It finds or installs Chromium, which test/browser starts.
//
// Where a server comes from, in this order: the address in the environment (FLASHSALE_TEST_REDIS, FLASHSALE_TEST_MYSQL as a
// driver DSN, FLASHSALE_TEST_KAFKA), the binary on this machine, an installation (Debian packages as root; Kafka's jars
// through Maven into the user's cache folder). When all three fail, the test fails and prints the command that installs the
// server: a missing server never skips a test.
//
// FLASHSALE_TEST_SERVERS chooses another kind of server for a role, see kinds.go: Redis and MariaDB are the names of the roles
// in this package, whatever serves them. What a kind needs is fetched from other releases of Debian, or built, into the cache
// folder, and runs from there; nothing is installed. RedisOf and MariaDBOf start a kind by its name, for comparisons.
//
// Two kinds of servers:
//
//   - Shared… returns one server for all tests of a package, from the environment when it names one. Each test uses a
//     namespace, schema and topics of its own and never stops the server. A package that uses shared servers calls Main
//     from TestMain, which ends them.
//   - Redis, RedisCluster, MariaDB and Kafka start a server that belongs to one test, which may kill, pause and restart it.
//     It is always a process of the harness: a server from the environment must not be killed.
//
// The harness ends every process by its id; when the test process dies, Linux ends the others with it. Folders are under
// the temporary directory. When a test fails, its folders are kept and the log names them.
package harness
