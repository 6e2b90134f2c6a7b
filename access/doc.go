// Package access knows who may use the operators' API: tokens with names and roles, sessions of browsers, one-time tokens,
// and the host names under which a browser may reach it. It stores nothing: a session is a signed cookie, good in every
// process that has the same tokens.
package access
