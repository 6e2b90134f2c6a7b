// Package scripts holds the Lua files that change stock in Redis, and their embedding.
//
// One verb a file. Each begins with its contract: purpose, every key with its type, every argument with its unit, every
// reply, the invariant and the cost; a test reads these headers. All keys of a script carry one hash tag. Nothing in
// them differs between a real Redis and the embedded one.
package scripts

import (
	"crypto/sha1" //nolint:gosec // Redis names scripts by SHA-1; nothing is secured by it
	"embed"
	"encoding/hex"
)

//go:embed *.lua
var files embed.FS

// Script is one Lua file.
type Script struct {
	Name   string // the verb: the file's name without .lua
	Source string
	SHA    string // what EVALSHA takes
}

// Reserve decides a batch of purchases. It is loaded by a rebuild and by nothing else: a server that restarted or was
// promoted answers NOSCRIPT and sells nothing.
func Reserve() Script { return read("reserve") }

// Transfer takes units out of one bucket for another. A rebuild alone loads it, as it does Reserve.
func Transfer() Script { return read("transfer") }

// Trim deletes acknowledged journal entries.
func Trim() Script { return read("trim") }

// Window gives a bucket the state and times of its sale.
func Window() Script { return read("window") }

// Close stops a bucket before its rebuild.
func Close() Script { return read("close") }

// Load brings a bucket's new epoch into Redis, step by step.
func Load() Script { return read("load") }

// All returns every script, by name.
func All() []Script {
	return []Script{Close(), Load(), Reserve(), Transfer(), Trim(), Window()}
}

func read(name string) Script {
	source, err := files.ReadFile(name + ".lua")
	if err != nil {
		panic("script " + name + " is not embedded: " + err.Error())
	}
	sum := sha1.Sum(source) //nolint:gosec // see the import
	return Script{Name: name, Source: string(source), SHA: hex.EncodeToString(sum[:])}
}
