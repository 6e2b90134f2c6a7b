// Package socket reads and writes TCP connections without telling Go's scheduler that a system call may block: on the
// runtime's sockets none does. An ordinary read or write gives its processor away and takes it back. On a busy machine the
// runtime hands it to another thread in between, which costs more than the call; and where the process was idle before, each
// wakes the runtime's monitor thread, which then looks around every 20 µs for a millisecond. Waiting and deadlines stay those
// of net.Conn.
//
// What it saves shows in a busy process, as the bench suite measures; one connection alone, as in BenchmarkConn, saves nothing.
package socket
