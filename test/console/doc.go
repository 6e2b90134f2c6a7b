// Package console drives the operators' console and the shop page in a real Chromium, against an engine in memory that answers
// the operators' API by the same documents: every action, what two operators do to each other, a lost connection, both languages,
// both themes, a phone, the keyboard, and the accessibility rules. test/e2e drives the same pages against the built binary.
package console
