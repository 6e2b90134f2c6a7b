// Package adminclient sends requests to the operators' API for the commands: it sends documents that operators wrote in
// JSON or YAML, returns the API's answers unchanged, and prints the audit.
//
// # Exit codes
//
// The error of a request that reads wraps ErrUnreadable when there is no answer or the API could not read a store; the
// command then exits 2. The error of a request that changes something, and every refusal, makes the command exit 1.
// ExitCode decides.
//
// The package shares the nouns of package sale with the API, and no code: it relies on the API's OpenAPI document.
package adminclient
