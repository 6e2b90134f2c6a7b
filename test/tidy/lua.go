package tidy

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// The header of a script is its contract: the comment lines at its beginning, up to the first line of code. The author of a
// call needs the header alone.
var sections = []struct {
	pattern *regexp.Regexp
	what    string
}{
	{regexp.MustCompile(`(?i)\bKEYS\b`), "each key with its type and pattern"},
	{regexp.MustCompile(`(?i)\bARGV\b`), "each argument with its unit"},
	{regexp.MustCompile(`(?i)\brepl(y|ies)\b`), "every reply"},
	{regexp.MustCompile(`(?i)\binvariants?\b`), "the invariant"},
	{regexp.MustCompile(`(?i)\bcosts?\b`), "the cost"},
}

var (
	luaSlot = regexp.MustCompile(`\b(KEYS|ARGV)\[(\d+)\]`)
	luaCall = regexp.MustCompile(`redis\.p?call\(\s*['"]([A-Za-z]+)['"]`)
)

const minPurpose = 20 // characters of the first line: a verb and what it does

// scriptFindings checks every Lua file of the tree.
func scriptFindings(tree fs.FS) ([]finding, error) {
	names, err := files(tree)
	if err != nil {
		return nil, err
	}
	var found []finding
	for _, name := range names {
		if path.Ext(name) != ".lua" {
			continue
		}
		text, err := fs.ReadFile(tree, name)
		if err != nil {
			return nil, err
		}
		header, code := splitScript(string(text))
		for _, fault := range append(headerFaults(header), slotFaults(header, code)...) {
			found = append(found, finding{name, fault})
		}
		for _, fault := range commandFaults(code) {
			found = append(found, finding{name, fault})
		}
	}
	return found, nil
}

func splitScript(text string) (header, code string) {
	lines := strings.SplitAfter(text, "\n")
	end := slices.IndexFunc(lines, func(line string) bool {
		line = strings.TrimSpace(line)
		return line != "" && !strings.HasPrefix(line, "--")
	})
	if end < 0 {
		end = len(lines)
	}
	return strings.Join(lines[:end], ""), strings.Join(lines[end:], "")
}

func headerFaults(header string) []string {
	var faults []string
	first, _, _ := strings.Cut(header, "\n")
	if len(strings.Trim(first, "- ")) < minPurpose {
		faults = append(faults, "the first line does not name its purpose")
	}
	for _, section := range sections {
		if !section.pattern.MatchString(header) {
			faults = append(faults, "the header does not name "+section.what)
		}
	}
	return faults
}

// slotFaults names keys and arguments that the code reads by number and the header does not describe.
func slotFaults(header, code string) []string {
	var faults []string
	for _, slot := range luaSlot.FindAllStringSubmatch(code, -1) {
		fault := fmt.Sprintf("the header does not describe %s", slot[0])
		if !describes(header, slot[1], slot[2]) && !slices.Contains(faults, fault) {
			faults = append(faults, fault)
		}
	}
	return faults
}

// luaRange is how a header describes several arguments at once.
var luaRange = regexp.MustCompile(`\b(KEYS|ARGV)\[(\d+)\] to (?:KEYS|ARGV)\[(\d+)\]`)

// describes reports whether the header has the slot itself, or a range that it lies in.
func describes(header, kind, number string) bool {
	if strings.Contains(header, kind+"["+number+"]") {
		return true
	}
	for _, span := range luaRange.FindAllStringSubmatch(header, -1) {
		if span[1] == kind && between(span[2], number, span[3]) {
			return true
		}
	}
	return false
}

func between(low, number, high string) bool {
	l, errLow := strconv.Atoi(low)
	n, errNumber := strconv.Atoi(number)
	h, errHigh := strconv.Atoi(high)
	return errLow == nil && errNumber == nil && errHigh == nil && l <= n && n <= h
}

// Commands a script must not use, with the reason.
var forbiddenCommands = map[string]string{
	"KEYS": "reads the whole keyspace", "SCAN": "reads the whole keyspace", "FLUSHALL": "empties other tenants",
	"FLUSHDB": "empties other tenants", "EXPIRE": "stock keys never expire", "PEXPIRE": "stock keys never expire",
	"SPOP": "is random", "SRANDMEMBER": "is random", "HRANDFIELD": "is random",
}

func commandFaults(code string) []string {
	var faults []string
	for _, call := range luaCall.FindAllStringSubmatch(code, -1) {
		if reason, forbidden := forbiddenCommands[strings.ToUpper(call[1])]; forbidden {
			faults = append(faults, fmt.Sprintf("calls %s, which %s", call[1], reason))
		}
	}
	if strings.Contains(code, "cjson") {
		faults = append(faults, "uses cjson, which loses integers above 2^53")
	}
	return faults
}
