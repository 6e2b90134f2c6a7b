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

// sources are the scripts by name, as this process runs them.
var sources = readAll()

// Reserve decides a batch of purchases. It is fenced, and its text names the other fenced scripts: a server that knows it
// knows exactly those, because it is loaded after them.
func ReserveScript() Script { return sources["reserve"] }

// Release applies outbox rows. It is fenced.
func ReleaseScript() Script { return sources["release"] }

// Transfer takes units out of one bucket for another. It is fenced.
func TransferScript() Script { return sources["transfer"] }

// Fenced returns the scripts that move stock, in the order in which they are loaded. A rebuild loads them and nothing else
// does: a server that restarted or was promoted answers NOSCRIPT and moves nothing (rule: script-fence).
func Fenced() []Script { return []Script{ReleaseScript(), TransferScript(), ReserveScript()} }

// Trim deletes acknowledged journal entries.
func TrimScript() Script { return sources["trim"] }

// Window gives a bucket the state and times of its sale.
func WindowScript() Script { return sources["window"] }

// Close stops a bucket before its rebuild.
func CloseScript() Script { return sources["close"] }

// Load brings a bucket's new epoch into Redis, step by step.
func LoadScript() Script { return sources["load"] }

// All returns every script, by name.
func All() []Script {
	return []Script{CloseScript(), LoadScript(), ReleaseScript(), ReserveScript(), TransferScript(), TrimScript(), WindowScript()}
}

func readAll() map[string]Script {
	read := map[string]Script{}
	for _, name := range []string{"close", "load", "release", "transfer", "trim", "window"} {
		read[name] = named(name, source(name))
	}
	reserve := source("reserve")
	for _, name := range []string{"release", "transfer"} {
		reserve += "-- loaded after " + name + " " + read[name].SHA + "\n"
	}
	read["reserve"] = named("reserve", reserve)
	return read
}

func source(name string) string {
	text, err := files.ReadFile(name + ".lua")
	if err != nil {
		panic("script " + name + " is not embedded: " + err.Error())
	}
	return string(text)
}

func named(name, source string) Script {
	sum := sha1.Sum([]byte(source)) //nolint:gosec // see the import
	return Script{Name: name, Source: source, SHA: hex.EncodeToString(sum[:])}
}
