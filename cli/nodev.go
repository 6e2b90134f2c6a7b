//go:build nodev

package cli

import "errors"

// Run explains how to get a binary with dev. The build tag nodev keeps the embedded engines out of production: they are
// three servers without a security audit.
func (Dev) Run(*invocation) error {
	return errors.New("dev is not in this binary, which was built without the embedded engines (-tags nodev): " +
		"use one from `make build`, or run `make dev` in the source")
}
