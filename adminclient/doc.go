// Package adminclient asks the operators' API, as the commands do: it sends documents that operators wrote in JSON or YAML,
// returns the API's answers as the API wrote them, and prints the audit.
//
// # How a command ends
//
// An error of a request that reads wraps ErrUnreadable where there is no answer or the API could not read a store; the
// command then exits 2. An error of a request that changes something, and every refusal, exits 1. ExitCode decides.
//
// The package shares with the API the nouns of package sale and no code: what it knows of the API is its document.
package adminclient
