// Package role runs background work. A role is one goroutine that repeats one unit of work until its context ends; Loop is
// the only loop in the project that does so.
//
// # What a loop guarantees
//
// A loop runs one unit at a time. The rest between two units counts from the end of the first to the beginning of the
// second, so a full rest follows also a long unit; a role that must keep a pace uses Steady instead. A role that has nothing
// to do until it is signalled rests UntilWoken. A signal ends no other rest, so many signals do not make units follow each
// other faster.
//
// # How a loop ends
//
// No unit begins after the loop's context has ended. The context of the unit under way ends with it, or Linger later where
// the role sets Linger. Run returns when that unit has returned, so every resource of a role may be closed after Run.
//
// # What a loop logs
//
// A loop logs the first failure of a row of failures, and the first success after it with the number of failures and their
// time. In between it logs a failure again where the error is another one, at most every 10 s. So an outage of an hour with
// one error makes two lines, whatever the interval is. Errors in Quiet are rests: they neither fail nor end a row of failures.
//
// A loop does not recover from panics: a unit that may panic recovers by itself.
package role
