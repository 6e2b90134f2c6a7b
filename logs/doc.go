// Package logs is the log of a process: JSON lines with one least level, which an operator changes for a time while the process
// runs.
package logs
