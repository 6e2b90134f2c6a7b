package tidy

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
)

const module = "flashsale"

// direction lists the packages of the module that a room may import, with the reason for the limit.
type direction struct {
	allowed []string
	reason  string
}

const apart = "the rooms never import each other: each declares the small interface it needs and app passes the " +
	"implementation, so every room can be tested, replaced and read alone"

// directions names every room. A new room needs a line here, and with it a decision.
var directions = map[string]direction{
	"sale":     {nil, "the nouns are spoken by every room, so they can depend on none"},
	"faults":   {nil, "every room has crash points, so they can depend on none"},
	"socket":   {nil, "every room that dials or listens may use it, so it can depend on none"},
	"role":     {nil, "every room has background work, so the loop that runs it can depend on none"},
	"access":   {[]string{"sale"}, "who may do what is decided without a request or a store, by nouns alone"},
	"logs":     {nil, "every process writes one log, so what it is can depend on none"},
	"dsn":      {nil, "how the database is named and reached is the same for every room that opens it, so it can depend on none"},
	"tracing":  {[]string{"sale", "role"}, "every room on the path has spans, so what they are can depend on no room"},
	"settings": {[]string{"sale", "access", "dsn"}, "settings are values: the code that builds the parts hands them on"},
	"series":   {nil, "what happens to sales is counted in several rooms, under one rule of which sales have series"},
	"report":   {nil, "a page shows names and numbers of any room, so it can depend on none"},
	"ledger": {[]string{"sale", "faults"},
		"what a batch does to stock and orders is decided without any store, so that every store and the simulator decide alike"},
	"lease": {[]string{"sale", "faults", "role"},
		"rooms exclude each other by a lease's name, so the names and the rule of ownership lie below them all"},
	"scripts": {[]string{"sale", "faults", "socket"},
		"the scripts and their typed calls know the nouns; what a reply means for a purchase or a rebuild is decided above"},
	"kafka": {[]string{"sale", "faults", "socket", "role"},
		"options, login, topics and the producer are the same for every room that uses Kafka"},
	"gateway":  {[]string{"sale", "faults", "socket", "role", "series", "tracing"}, apart},
	"reserve":  {[]string{"sale", "faults", "scripts", "role", "tracing"}, apart},
	"recovery": {[]string{"sale", "faults", "scripts", "lease", "role", "tracing"}, apart},
	"settle":   {[]string{"sale", "faults", "kafka", "lease", "role", "tracing"}, apart},
	"events":   {[]string{"sale", "faults", "kafka", "lease", "role", "tracing"}, apart},
	"expiry":   {[]string{"sale", "faults", "lease", "role", "series"}, apart},
	"brake":    {[]string{"sale", "faults", "lease", "role"}, apart},
	"replica":  {[]string{"sale", "lease", "role"}, apart},
	"pulse":    {[]string{"sale", "role"}, apart},
	"store":    {[]string{"sale", "ledger", "faults", "dsn", "tracing"}, apart},
	"admin":    {[]string{"sale", "faults", "access", "lease", "role", "series", "tracing"}, apart},
	"console":  {nil, "the pages see the engine through its APIs alone, as any other client does"},
	"adminclient": {[]string{"sale"},
		"the client sees the operators' API from outside, as any other client does"},
	"terminal": {[]string{"sale", "role"},
		"what a terminal shows is made of answers: who asks for them, and how, is the command's"},
	"audit": {[]string{"sale", "dsn", "socket"},
		"the audit reads the stores by a second code path: it shares the nouns with the hot path, where the database is " +
			"and how TLS is dialled, and nothing else"},
	"doctor": {[]string{"sale", "dsn", "socket", "role"},
		"the doctor looks at the stores as an operator does, with clients of its own, so that no setting of ours hides one of " +
			"theirs"},
	"embedded": {[]string{"sale"}, "the engines of the dev command replace foreign servers, which share no code with ours"},
	"loadtest": {[]string{"sale", "socket", "report"},
		"the load test is a client: it sees the engine from outside, as a shop does"},
	"app": {[]string{"sale", "logs", "settings", "role", "series", "scripts", "kafka", "gateway", "reserve", "recovery", "settle",
		"events", "expiry", "brake", "replica", "store", "admin", "console", "pulse", "embedded", "tracing"},
		"app assembles the processes without a command line or a load test: what a process is made of does not depend on " +
			"how it is called"},
	"rehearse": {[]string{"app", "sale", "settings", "role", "report", "scripts", "kafka", "store", "adminclient", "loadtest"},
		"a rehearsal is an assembly as app is: it makes a deployment of its own, is a client of it, and removes it"},
	"cli": {[]string{"app", "sale", "logs", "settings", "role", "kafka", "store", "adminclient", "audit", "doctor", "embedded",
		"loadtest", "rehearse", "terminal"},
		"a command asks app for a process, or a room for one answer; the hot path's rooms are assembled by app alone"},
	"cmd":    {[]string{"cli"}, "the table lists the commands; package cli implements them"},
	"deploy": {nil, "deploy holds files for other programs; its tests compare them with the settings"},
	"test": {[]string{"sale", "scripts", "settings", "ledger", "faults", "lease", "role", "kafka", "gateway", "reserve",
		"recovery", "settle", "events", "expiry", "admin", "console", "loadtest"},
		"the suites drive the built binary from outside, and the simulator the parts that decide; none needs the real " +
			"stores' room"},
}

// scaffolds are the packages that every suite builds on, and what of ours their source files may import. The suites
// themselves may import all of them.
var scaffolds = map[string]direction{
	"test/harness": {nil, "the harness starts servers and processes; its callers decide what runs in them"},
	"test/stack": {[]string{"test/harness"},
		"a deployment depends on its processes and servers, not on the suites that use it"},
	"test/browser": {[]string{"test/harness"},
		"a browser shows what pages do, and knows none of the pages that it is pointed at"},
	"test/collector": {nil, "a collector takes what any program sends by OTLP, and knows none of them"},
	"test/locked":    {nil, "a buffer holds what anybody writes"},
	"test/memory": {[]string{"sale", "ledger"},
		"a database in memory decides by ledger, as every store does, and by nothing that tests it"},
	"test/buyers": {[]string{"sale", "test/stack"},
		"the crowd is a client: it sends requests as apps do, and judges nothing"},
	"test/buyers/history": {nil, "the history is the language between crowd and judge, so it can depend on neither"},
	"test/check": {[]string{"sale", "test/buyers/history"},
		"the judge reads evidence alone: anything else that it read could excuse a breach"},
	"test/check/gather": {[]string{"test/check", "test/buyers/history"},
		"evidence is read without the code under test"},
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

// Tests may use more: the harness, a deployment of real processes, the database in memory, a log that others write meanwhile,
// the scripts, the settings list.
var testsMay = []string{"sale", "scripts", "settings", "test/harness", "test/stack", "test/memory", "test/locked"}

// testsOfMay lists what the tests of one room may import in addition.
var testsOfMay = map[string]direction{
	"tracing": {[]string{"test/collector"}, "what arrives at a collector is the only proof of what was sent"},
	"gateway": {[]string{"test/collector"}, "a tracer needs a collector that takes what it sends"},
	"admin": {[]string{"adminclient", "test/collector"},
		"the operators' API is tested with the client that the commands use, and a tracer needs a collector"},
	"reserve": {[]string{"kafka", "recovery", "test/fakes"},
		"the engine is tested with the producer that the processes use, on buckets that a rebuild has opened"},
	"recovery": {[]string{"kafka", "reserve", "test/fakes"},
		"what a rebuild, a relay or a release does shows in what the engine sells before and after"},
	"kafka":  {[]string{"test/kafkabench"}, "every room that uses Kafka tests on a broker with the topics of one namespace"},
	"settle": {[]string{"test/kafkabench"}, "they read the topics that the room writes on the same bench as the tests of kafka"},
	"events": {[]string{"test/kafkabench"}, "they read the topics that the room writes on the same bench as the tests of kafka"},
}

// owner lists the rooms that may import a library outside their tests, and why no other room may.
type owner struct {
	library string
	rooms   []string
	reason  string
}

var owners = []owner{
	{"github.com/IBM/sarama", []string{"kafka", "settle"},
		"one producer and one consumer, so that the settings that lose orders are ruled out in two places and no third"},
	{"database/sql", []string{"dsn", "store", "audit", "doctor", "tracing"},
		"SQL behind one interface: the portability and locking rules are kept in one room"},
	{"github.com/go-sql-driver/mysql", []string{"dsn", "store", "audit", "doctor", "tracing"},
		"as database/sql; dsn reads the name of the database and connects, tracing reads the numbers of errors"},
	{"go.opentelemetry.io", []string{"tracing"},
		"whether a trace is sampled is decided once, in one place, before anything is made for it"},
	{"github.com/XSAM/otelsql", []string{"tracing"}, "as OpenTelemetry, of which it makes the spans of statements"},
	{"github.com/redis/rueidis", []string{"scripts", "audit", "doctor", "test", "loadtest"},
		"writes that return an error may have happened: the typed calls of scripts say which; the audit reads by a second code " +
			"path; the doctor writes nothing; the load test measures against a baseline that does not care"},
	{"github.com/valyala/fasthttp", []string{"gateway", "loadtest"},
		"nothing of a fasthttp request may outlive its handler: only gateway knows which handlers there are; the load test " +
			"measures against it"},
	{"github.com/alibaba/sentinel-golang", []string{"gateway"}, "its rules are process globals with one owner"},
	{"github.com/bits-and-blooms/bloom", []string{"gateway", "store"},
		"a filter only ever saves a look-up that the same room would make: of gateway in Redis, of store in the orders"},
	{"github.com/alicebob/miniredis", []string{"embedded"},
		"embedded engines are for trying and developing, never part of a server"},
	{"github.com/twmb/franz-go", []string{"embedded", "audit", "doctor", "test"},
		"the project's Kafka client is sarama; the audit reads with another one, because it shares nothing with the hot path, " +
			"and the doctor asks for what sarama does not read"},
	{"github.com/alecthomas/kong", []string{"cli", "cmd"},
		"flags and exit codes concern the command line: a room is called by code"},
	{"charm.land/bubbletea", []string{"terminal"}, "one room draws on a terminal and reads its keys"},
	{"github.com/charmbracelet", []string{"terminal"}, "as bubbletea, which is built on them: widths of text, terminals"},
	{"github.com/bwmarrin/snowflake", []string{"sale"},
		"its epoch is a package variable: one package sets it, before any generator exists"},
}

// saleMay is all that the nouns import besides the standard library.
const saleMay = "github.com/bwmarrin/snowflake"

// importFindings applies the directions and owners to every import of the tree.
func importFindings(parsed []*source) []finding {
	var found []finding
	for _, s := range parsed {
		if s.room() == "" {
			found = append(found, finding{s.name, "the top level holds no code: every file belongs to a room"})
			continue
		}
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
	if _, apart := directions[path.Dir(s.name)]; apart {
		room = path.Dir(s.name) // a folder with a line of its own
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
		allowed = append(append(allowed, testsMay...), testsOfMay[room].allowed...)
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
