// Package faults is where the fault tests take hold of the engine: crash points at every side effect, and seeded bugs that
// the checkers must catch. In a normal build both are empty functions that the compiler removes. Built with the tag
// `faults`, the process named by the environment kills itself at a point, or misbehaves in one chosen way:
//
//	FLASHSALE_CRASH_POINT=settle.committed  die (SIGKILL) when this point is passed …
//	FLASHSALE_CRASH_TIME=3                  … for the third time; default 1
//	FLASHSALE_BUG=answer-before-ack         run with this bug
//
// Names of points are `room.what-has-just-happened`; each stands once in the source. A test reads them from there.
package faults
