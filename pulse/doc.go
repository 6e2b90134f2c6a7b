// Package pulse is how the processes of a deployment know of each other: once a second each writes what it has counted into
// Redis, and every gateway reads the pulses of all and keeps the last minutes of them in memory.
//
// A pulse has counters that only grow, so a reader that misses some loses no count: it divides the difference of two pulses of
// a process by the time between them. The pulses are for operators' eyes. No unit, order or decision depends on one; when Redis
// is away or a pulse is wrong, sales go on.
package pulse
