// Package bench measures what a request costs, in CPU time of each process, beside baselines that could hardly be
// cheaper: a bare fasthttp handler that receives the same requests and answers the same number of bytes, and a raw
// multi-row INSERT of the same order rows on the same server; and beside what is usual: a script call for each request.
//
// CPU time and not requests a second is what is compared, because the client, the servers and the engine share the cores
// of one machine: whoever is measured by throughput is measured by what the others leave him. Every figure is taken
// several times, ours and the baseline in turns, so that a machine that slows down slows both; the spread of the ratios
// is the noise that is stated beside them.
//
// The package holds the parts: processes' CPU time, the servers that are baselines, a cheap client, figures and their
// table. The benchmark that starts everything and runs it is in the tests: make bench.
package bench
