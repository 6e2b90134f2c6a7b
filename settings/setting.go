package settings

import (
	"slices"
	"strings"
)

// Setting is one row of the list.
type Setting struct {
	Name    string   // section.member
	Default string   // in the spelling of the environment; empty when there is none
	Unit    string   // what a number counts, or the form of a text
	Doc     string   // one line for the documentation, below 140 bytes
	Used    []string // processes and commands that read it
	Needed  []string // commands that do not start without it

	bind  func(*Settings) any // pointer to the member of Settings; its type is the type of the setting
	check rule
}

// fileSuffix makes the name of a secret's companion, which names the file that holds the value.
const fileSuffix = "_file"

const envPrefix = "FLASHSALE_"

// Env returns the name of the environment variable.
func (s Setting) Env() string { return envName(s.Name) }

// Flag returns the flag with its two dashes.
func (s Setting) Flag() string { return "--" + flagName(s.Name) }

// Range returns the allowed values in words, empty when every value of the type is allowed.
func (s Setting) Range() string { return s.check.text }

// Secret reports whether the value must never be printed.
func (s Setting) Secret() bool {
	_, secret := s.bind(new(Settings)).(*Secret)
	return secret
}

// Type returns the type of the setting in words: text, secret, list, networks, true or false, number or duration.
func (s Setting) Type() string { return typeOf(s.bind(new(Settings))) }

// UsedBy returns the settings that a command, such as "gateway" or "sale create", reads, in the order of the list.
func UsedBy(command string) []Setting {
	var used []Setting
	for _, s := range All() {
		if s.ReadBy(command) {
			used = append(used, s)
		}
	}
	return used
}

// names reports whether a word of the columns Used and Needed means a command: the word is that command or its parent.
func names(word, command string) bool {
	return word == everything[0] || command == word || strings.HasPrefix(command, word+" ")
}

// ReadBy reports whether a command, such as "gateway" or "sale create", reads the setting.
func (s Setting) ReadBy(command string) bool {
	return slices.ContainsFunc(s.Used, func(name string) bool { return names(name, command) })
}

// NeededBy reports whether a command, such as "gateway" or "load verdict", does not start without the setting.
func (s Setting) NeededBy(command string) bool {
	return slices.ContainsFunc(s.Needed, func(name string) bool { return names(name, command) })
}

func envName(name string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(name, ".", "_"))
}

func flagName(name string) string {
	return strings.NewReplacer(".", "-", "_", "-").Replace(name)
}

// index finds settings by any of their spellings.
type index struct {
	byName map[string]Setting
	byEnv  map[string]string // from variable to name; companions included
	byFlag map[string]string // from flag without its leading dashes to name; companions included
}

func newIndex() index {
	ix := index{byName: map[string]Setting{}, byEnv: map[string]string{}, byFlag: map[string]string{}}
	for _, s := range All() {
		ix.byName[s.Name] = s
		names := []string{s.Name}
		if s.Secret() {
			names = append(names, s.Name+fileSuffix)
		}
		for _, name := range names {
			ix.byEnv[envName(name)] = name
			ix.byFlag[flagName(name)] = name
		}
	}
	return ix
}

// known reports whether name is a setting or the companion of a secret.
func (ix index) known(name string) bool {
	_, known := ix.byFlag[flagName(name)]
	return known && ix.byFlag[flagName(name)] == name
}

// section reports whether name is the part before the dot of some setting.
func (ix index) section(name string) bool {
	for full := range ix.byName {
		if strings.HasPrefix(full, name+".") {
			return true
		}
	}
	return false
}

// secretOf returns the secret that a companion belongs to.
func (ix index) secretOf(name string) (string, bool) {
	secret, found := strings.CutSuffix(name, fileSuffix)
	if !found {
		return "", false
	}
	s, known := ix.byName[secret]
	return secret, known && s.Secret()
}
