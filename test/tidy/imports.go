package tidy

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
)

const module = "flashsale"

// direction says which of our packages a room may import, and why not more.
type direction struct {
	allowed []string
	reason  string
}

const apart = "the rooms never import each other: each declares the small interface it needs and wire.go passes the " +
	"implementation, so every room can be tested, replaced and read alone"

// directions names every room. A new room needs a line here, and with it a decision.
var directions = map[string]direction{
	"sale":     {nil, "the nouns are spoken by every room, so they can depend on none"},
	"scripts":  {[]string{"faults"}, "the scripts are data; what gives them meaning is the room that runs them; seeded bugs change their text"},
	"settings": {[]string{"sale"}, "settings are values: whoever builds the parts hands them on"},
	"faults":   {nil, "the hooks of the fault tests stand in every room, so they can depend on none"},
	"socket":   {nil, "how bytes go through a connection concerns whoever dials or listens, so it can depend on none"},
	"ledger":   {[]string{"sale", "faults"}, "what a batch does to the books is decided without any store, so that every store and the simulator decide alike"},
	"gateway":  {[]string{"sale", "faults", "socket"}, apart},
	"reserve":  {[]string{"sale", "scripts", "faults", "socket"}, apart},
	"settle":   {[]string{"sale", "faults", "socket"}, apart},
	"admin":    {[]string{"sale", "faults"}, apart},
	"store":    {[]string{"sale", "ledger", "faults"}, apart},
	"audit":    {[]string{"sale"}, "the audit reads the stores by a second code path: it shares the nouns with the hot path and nothing else"},
	"embedded": {[]string{"sale"}, "the engines of the dev command stand where foreign servers stand: nothing of ours is theirs"},
	"loadtest": {[]string{"sale", "socket"}, "the load test is a client: it sees the engine from outside, as a shop does"},
	"deploy":   {nil, "deploy holds files for other programs; its tests compare them with the settings"},
	"test":     {[]string{"sale", "scripts", "settings", "ledger", "faults", "gateway", "reserve", "settle", "admin"}, "the suites drive the built binary from outside, and the simulator the parts that decide; none needs the real stores' room"},
}

// scaffolds are the packages that every suite builds on, and what of ours their source files may import. The suites
// themselves may import all of them.
var scaffolds = map[string]direction{
	"test/harness":        {nil, "the harness starts servers and processes: what runs in them is for its callers"},
	"test/stack":          {[]string{"test/harness"}, "a deployment knows its processes and servers and no suite's questions"},
	"test/memory":         {[]string{"sale", "ledger"}, "a database in memory decides by ledger, as every store does, and by nothing that tests it"},
	"test/buyers":         {[]string{"sale", "test/stack"}, "the crowd is outside: it presses at listeners, as apps do, and judges nothing"},
	"test/buyers/history": {nil, "the history is the language between crowd and judge, so it can depend on neither"},
	"test/check":          {[]string{"sale", "test/buyers/history"}, "the judge sees evidence alone: whatever else it could reach could excuse a breach"},
	"test/check/gather":   {[]string{"test/check"}, "evidence is read past the code under test, so none of that code may read it"},
}

// scaffoldOf returns the scaffold that a source file belongs to, "" when it is a test or a part of a suite.
func scaffoldOf(s *source) (of string) {
	if strings.HasSuffix(s.name, "_test.go") {
		return ""
	}
	for name := range scaffolds {
		if within(path.Dir(s.name), name) && len(name) > len(of) {
			of = name
		}
	}
	return of
}

// Tests may use more: the harness, a deployment of real processes, the scripts, the settings list.
var testsMay = []string{"sale", "scripts", "settings", "test/harness", "test/stack"}

// owner says which rooms may import a library outside their tests, and why nobody else.
type owner struct {
	library string
	rooms   []string
	reason  string
}

var owners = []owner{
	{"github.com/IBM/sarama", []string{"reserve", "settle"}, "one producer and one consumer, so that the settings that lose orders are ruled out in two places and no third"},
	{"database/sql", []string{"store", "audit"}, "SQL behind one interface: the portability and locking rules are kept in one room"},
	{"github.com/go-sql-driver/mysql", []string{"store", "settings", "audit"}, "as database/sql; settings only checks the form of the DSN"},
	{"github.com/redis/rueidis", []string{"reserve", "audit", "test", "loadtest"}, "writes that return an error may have happened: only reserve knows how to ask again; the load test measures against a baseline that does not"},
	{"github.com/valyala/fasthttp", []string{"gateway", "loadtest"}, "nothing of a fasthttp request may outlive its handler: only gateway knows which handlers there are; the load test measures against it"},
	{"github.com/alibaba/sentinel-golang", []string{"gateway"}, "its rules are process globals with one owner"},
	{"github.com/bits-and-blooms/bloom", []string{"gateway"}, "a filter only ever saves a look-up that gateway would make"},
	{"github.com/alicebob/miniredis", []string{"embedded"}, "embedded engines are for trying and developing, never part of a server"},
	{"github.com/twmb/franz-go", []string{"embedded", "audit", "test"}, "the project's Kafka client is sarama; the audit reads with another one, because it shares nothing with the hot path"},
	{"github.com/bwmarrin/snowflake", []string{"sale"}, "its epoch is a package variable: one package sets it, before any generator exists"},
}

// saleMay is all that the nouns import besides the standard library.
const saleMay = "github.com/bwmarrin/snowflake"

// importFindings applies the directions and owners to every import of the tree.
func importFindings(parsed []*source) []finding {
	var found []finding
	for _, s := range parsed {
		for _, spec := range s.syntax.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				imported = spec.Path.Value // the parser accepted it; an unquotable path matches no rule
			}
			if fault := importFault(s, imported); fault != "" {
				found = append(found, finding{s.at(spec.Pos()), fault})
			}
		}
	}
	return found
}

func importFault(s *source, imported string) string {
	if ours, is := strings.CutPrefix(imported, module+"/"); is {
		return directionFault(s, ours)
	}
	if s.isTest() {
		return ""
	}
	if s.room() == "sale" && strings.Contains(imported, ".") && imported != saleMay {
		return fmt.Sprintf("sale imports %s: the nouns use the standard library and snowflake only", imported)
	}
	for _, o := range owners {
		if within(imported, o.library) && !slices.Contains(o.rooms, s.room()) {
			return fmt.Sprintf("%s belongs to %s: %s", o.library, strings.Join(o.rooms, " and "), o.reason)
		}
	}
	return ""
}

func directionFault(s *source, ours string) string {
	room := s.room()
	if room == "" {
		return "" // the commands in the root build everything
	}
	rule, known := directions[room]
	if !known {
		return fmt.Sprintf("room %q has no line in the table of directions", room)
	}
	allowed := append([]string{room}, rule.allowed...)
	if scaffold := scaffoldOf(s); scaffold != "" {
		rule = scaffolds[scaffold]
		allowed = append([]string{scaffold}, rule.allowed...)
	} else if s.isTest() {
		allowed = append(allowed, testsMay...)
	}
	for _, a := range allowed {
		if within(ours, a) {
			return ""
		}
	}
	return fmt.Sprintf("imports %s: %s", ours, rule.reason)
}

// within reports whether a path is the package or below it.
func within(imported, parent string) bool {
	return imported == parent || strings.HasPrefix(imported, parent+"/")
}
