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
	SHA    string // of Source, in hexadecimal: the argument of EVALSHA
}

// sources are the scripts of this process, by name.
var sources = readAll()

// ReserveScript decides a batch of purchases. It is fenced. Its text names the other fenced scripts, and it is loaded after
// them, so a server that knows it has exactly those.
func ReserveScript() Script { return sources["reserve"] }

// ReleaseScript applies outbox rows. It is fenced.
func ReleaseScript() Script { return sources["release"] }

// TransferScript takes units out of one bucket for another. It is fenced.
func TransferScript() Script { return sources["transfer"] }

// Fenced returns the scripts that move stock, in the order in which they are loaded. Only a rebuild loads them: a server that
// restarted or was promoted answers NOSCRIPT and moves nothing (rule: script-fence).
func Fenced() []Script { return []Script{ReleaseScript(), TransferScript(), ReserveScript()} }

// TrimScript deletes acknowledged journal entries.
func TrimScript() Script { return sources["trim"] }

// WindowScript gives a bucket the state, times and limit of its sale.
func WindowScript() Script { return sources["window"] }

// CloseScript stops a bucket before its rebuild.
func CloseScript() Script { return sources["close"] }

// LoadScript loads a bucket's new epoch into Redis, step by step.
func LoadScript() Script { return sources["load"] }

// All returns every script, sorted by name.
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
