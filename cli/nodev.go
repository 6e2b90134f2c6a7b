//go:build nodev

package cli

import "errors"

// Run returns how to get what this binary leaves out: the build tag nodev keeps the embedded engines, which are three servers
// without an audit, out of production.
func (Dev) Run(*invocation) error {
	return errors.New("dev is not in this binary, which was built without the embedded engines (-tags nodev): " +
		"take one from `make build`, or run `make dev` in the source")
}
