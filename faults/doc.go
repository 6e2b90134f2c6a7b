// Package faults names the crash points of the engine: one behind every side effect. In a normal build Point is an empty
// function, which the compiler removes. Built with the tag `faults`, a process kills itself at the point that its
// environment names:
//
//	FLASHSALE_CRASH_POINT=settle.committed  die (SIGKILL) when this point is passed …
//	FLASHSALE_CRASH_TIME=3                  … for the third time; default 1
//
// Names of points are `room.what-has-just-happened`; each occurs once in the source, where a test reads them.
package faults
