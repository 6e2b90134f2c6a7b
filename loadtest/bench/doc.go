// Package bench measures the CPU time that a request costs each process, next to cheap baselines: a bare fasthttp
// handler that receives the same requests and answers the same number of bytes, and a raw multi-row INSERT of the same
// order rows on the same server; and next to the usual design: one script call per request.
//
// It compares CPU time and not requests a second, because the client, the servers and the engine share the cores of one
// machine, and the throughput of each depends on the load of the others. Every figure is taken several times,
// alternately with its baseline, so that a machine that slows down slows both; the spread of the ratios is the noise in
// the table.
//
// The package contains the parts: CPU time of processes, the baseline servers, a cheap client, figures and their table.
// The benchmark that starts everything and runs it is in the tests: make bench.
package bench
