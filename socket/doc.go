// Package socket reads and writes TCP connections without announcing a blocking system call to Go's scheduler: on the
// runtime's sockets no call blocks. An ordinary read or write releases its processor (P) and takes it back. On a busy machine
// the runtime gives that processor to another thread in between, which costs more than the call. In an idle process each call
// wakes the runtime's monitor thread, which then polls every 20 µs for a millisecond. Waiting and deadlines are those of
// net.Conn.
//
// The bench suite measures the gain in a busy process; one connection alone, as in BenchmarkConn, gains nothing.
package socket
