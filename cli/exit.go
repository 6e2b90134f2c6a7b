package cli

import (
	"errors"
	"fmt"
	"io"

	"flashsale/adminclient"
	"flashsale/settings"
)

// Exit codes of every command.
const (
	ExitDone       = 0
	ExitFailed     = 1  // the command failed, or the answer is no
	ExitUnreadable = 2  // the command could not read what it needs
	ExitUsage      = 80 // the command line or a setting is wrong
)

// exitError ends the process with a code. A nil cause prints nothing, because the command has already printed it.
type exitError struct {
	code  int
	cause error
}

// Error returns the cause's text.
func (e *exitError) Error() string {
	if e.cause == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.cause.Error()
}

// Unwrap returns the cause.
func (e *exitError) Unwrap() error { return e.cause }

// exitOf adds the exit code to an error of the operators' API.
func exitOf(err error) error {
	if err == nil {
		return nil
	}
	var coded *exitError
	if errors.As(err, &coded) {
		return err
	}
	return &exitError{adminclient.ExitCode(err), err}
}

// report prints an error as one line per fault and returns the exit code for it.
func report(stderr io.Writer, err error) int {
	if err == nil {
		return ExitDone
	}
	code := ExitFailed
	var exit *exitError
	if errors.As(err, &exit) {
		code = exit.code
		if exit.cause == nil {
			return code
		}
	}
	var faults *settings.Faults
	if errors.As(err, &faults) {
		code = ExitUsage
	}
	fmt.Fprintf(stderr, "flashsale: %v\n", err)
	return code
}
