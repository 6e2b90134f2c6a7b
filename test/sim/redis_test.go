package sim

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	lua "github.com/yuin/gopher-lua"
)

// Replies of a Redis server besides nil, int64, string (bulk) and []any.
type (
	status     string
	redisFault string
)

const wrongType = redisFault("WRONGTYPE Operation against a key holding the wrong kind of value")

// redisServer is the model of one Redis server: the commands that the engine sends, executed one after the other.
type redisServer struct {
	mu      sync.Mutex
	now     func() time.Time // its own clock
	replid  string
	hidden  bool // it hides the replication id, as managed servers do
	scripts map[string]*lua.FunctionProto
	data    *dataset
	done    int64             // commands
	added   func(text string) // called with what is added to streams; may be nil
}

func newRedisServer(now func() time.Time, replid string) *redisServer {
	return &redisServer{now: now, replid: replid, scripts: map[string]*lua.FunctionProto{}, data: newDataset()}
}

// execute runs one command. A script counts as one command: its writes are lost or kept together.
func (s *redisServer) execute(args []string) any {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done++
	at := time.Duration(time.Now().UnixNano())
	s.data.forget(at - keptPast)
	w := writer{s.data, s.done, at}
	switch strings.ToUpper(args[0]) {
	case "EVAL":
		proto, err := compile(args[1])
		if err != nil {
			return redisFault("ERR " + err.Error())
		}
		s.scripts[shaOf(args[1])] = proto
		return s.script(w, proto, args[2:])
	case "EVALSHA":
		proto := s.scripts[args[1]]
		if proto == nil {
			return redisFault("NOSCRIPT No matching script. Please use EVAL.")
		}
		return s.script(w, proto, args[2:])
	case "SCRIPT":
		return s.scriptCommand(args)
	}
	return s.command(w, args)
}

func (s *redisServer) script(w writer, proto *lua.FunctionProto, args []string) any {
	n, err := strconv.Atoi(args[0])
	if err != nil || n > len(args)-1 {
		return redisFault("ERR number of keys")
	}
	return eval(proto, args[1:1+n], args[1+n:], func(command []string) any { return s.command(w, command) })
}

func (s *redisServer) scriptCommand(args []string) any {
	switch strings.ToUpper(args[1]) {
	case "LOAD":
		proto, err := compile(args[2])
		if err != nil {
			return redisFault("ERR " + err.Error())
		}
		s.scripts[shaOf(args[2])] = proto
		return shaOf(args[2])
	case "EXISTS":
		var found []any
		for _, sha := range args[2:] {
			found = append(found, oneIf(s.scripts[sha] != nil))
		}
		return found
	}
	return redisFault("ERR unknown subcommand of SCRIPT")
}

func oneIf(condition bool) int64 {
	if condition {
		return 1
	}
	return 0
}

// command runs anything but scripts.
func (s *redisServer) command(w writer, args []string) any {
	switch name := strings.ToUpper(args[0]); name {
	case "PING":
		return status("PONG")
	case "TIME":
		micro := s.now().UnixMicro()
		return []any{strconv.FormatInt(micro/1e6, 10), strconv.FormatInt(micro%1e6, 10)}
	case "INFO":
		if s.hidden {
			return redisFault("ERR unknown command 'INFO'")
		}
		return "# Replication\r\nrole:master\r\nmaster_replid:" + s.replid + "\r\n"
	case "ROLE":
		return []any{"master", int64(0), []any{}}
	case "TYPE":
		return status(kindOf(w.keys[args[1]]))
	case "EXISTS":
		return oneIf(w.keys[args[1]] != nil)
	case "DEL", "UNLINK":
		n := int64(0)
		for _, key := range args[1:] {
			n += w.remove(key)
		}
		return n
	case "GET", "SET", "SETNX":
		return textCommand(w, name, args)
	case "SADD", "SMISMEMBER", "SISMEMBER", "SCARD":
		return setCommand(w, name, args)
	case "XADD", "XDEL", "XLEN", "XRANGE", "XTRIM":
		if name == "XADD" && s.added != nil {
			s.added(entryText(args[3:]))
		}
		return streamCommand(w, name, args)
	}
	return hashCommand(w, args)
}

// entryText joins the values of an entry's fields: the record's head and lines, or all of it in one.
func entryText(fields []string) string {
	var text strings.Builder
	for i := 1; i < len(fields); i += 2 {
		text.WriteString(fields[i])
	}
	return text.String()
}

func kindOf(value any) string {
	switch value.(type) {
	case hash:
		return "hash"
	case *stream:
		return "stream"
	case set:
		return "set"
	case text:
		return "string"
	}
	return "none"
}

func textCommand(w writer, name string, args []string) any {
	value, is := w.keys[args[1]].(text)
	there := w.keys[args[1]] != nil
	if name == "GET" {
		switch {
		case is:
			return string(value)
		case there:
			return wrongType
		}
		return nil
	}
	if name == "SETNX" {
		if !there {
			w.put(args[1], text(args[2]))
		}
		return oneIf(!there)
	}
	if there && slices.ContainsFunc(args[3:], func(a string) bool { return strings.EqualFold(a, "NX") }) {
		return nil
	}
	w.put(args[1], text(args[2]))
	return status("OK")
}

func setCommand(w writer, name string, args []string) any {
	members, is := w.keys[args[1]].(set)
	if !is && w.keys[args[1]] != nil {
		return wrongType
	}
	has := func(member string) int64 {
		_, found := members[member]
		return oneIf(found)
	}
	switch name {
	case "SCARD":
		return int64(len(members))
	case "SISMEMBER":
		return has(args[2])
	case "SMISMEMBER":
		found := []any{}
		for _, member := range args[2:] {
			found = append(found, has(member))
		}
		return found
	}
	grown := set{}
	for member := range members {
		grown[member] = struct{}{}
	}
	for _, member := range args[2:] {
		grown[member] = struct{}{}
	}
	w.put(args[1], grown)
	return int64(len(grown) - len(members))
}

func streamCommand(w writer, name string, args []string) any {
	s, is := w.keys[args[1]].(*stream)
	if !is && w.keys[args[1]] != nil {
		return wrongType
	}
	switch name {
	case "XLEN":
		if s == nil {
			return int64(0)
		}
		return int64(len(s.entries))
	case "XADD":
		id, ok := parseStreamID(args[2], false)
		if !ok {
			return redisFault("ERR Invalid stream ID specified as stream command argument")
		}
		if !w.addEntry(args[1], id, slices.Clone(args[3:])) {
			return redisFault("ERR The ID specified in XADD is equal or smaller than the target stream top item")
		}
		return id.String()
	case "XDEL":
		n := int64(0)
		for _, name := range args[2:] {
			id, ok := parseStreamID(name, false)
			if !ok {
				return redisFault("ERR Invalid stream ID specified as stream command argument")
			}
			n += w.deleteEntry(args[1], id)
		}
		return n
	case "XTRIM":
		return trimStream(w, s, args)
	}
	return streamRange(s, args)
}

// trimStream deletes everything below an id.
func trimStream(w writer, s *stream, args []string) any {
	least, ok := parseStreamID(args[3], false)
	if !ok || !strings.EqualFold(args[2], "MINID") {
		return redisFault("ERR syntax error")
	}
	n := int64(0)
	for s != nil && len(s.entries) > 0 && s.entries[0].id.less(least) {
		n += w.deleteEntry(args[1], s.entries[0].id)
	}
	return n
}

func streamRange(s *stream, args []string) any {
	from, ok := parseStreamID(args[2], false)
	to, ok2 := parseStreamID(args[3], true)
	if !ok || !ok2 {
		return redisFault("ERR Invalid stream ID specified as stream command argument")
	}
	most := -1
	if len(args) == 6 && strings.EqualFold(args[4], "COUNT") {
		most, _ = strconv.Atoi(args[5]) // the engine writes numbers only
	}
	found := []any{}
	if s == nil {
		return found
	}
	at, _ := s.search(from)
	for ; at < len(s.entries) && len(found) != most && !to.less(s.entries[at].id); at++ {
		fields := make([]any, len(s.entries[at].fields))
		for i, f := range s.entries[at].fields {
			fields[i] = f
		}
		found = append(found, []any{s.entries[at].id.String(), fields})
	}
	return found
}

func hashCommand(w writer, args []string) any {
	if len(args) < 2 {
		return redisFault(fmt.Sprintf("ERR unknown command %q", args))
	}
	h, is := w.keys[args[1]].(hash)
	if !is && w.keys[args[1]] != nil {
		return wrongType
	}
	get := func(field string) any {
		if value, there := h[field]; there {
			return value
		}
		return nil
	}
	switch strings.ToUpper(args[0]) {
	case "HGET":
		return get(args[2])
	case "HEXISTS":
		return oneIf(get(args[2]) != nil)
	case "HLEN":
		return int64(len(h))
	case "HMGET":
		values := make([]any, len(args)-2)
		for i, field := range args[2:] {
			values[i] = get(field)
		}
		return values
	case "HSET":
		n := int64(0)
		for i := 2; i+1 < len(args); i += 2 {
			n += w.setField(args[1], args[i], args[i+1])
		}
		return n
	case "HDEL":
		n := int64(0)
		for _, field := range args[2:] {
			n += w.dropField(args[1], field)
		}
		return n
	case "HINCRBY":
		before, _ := get(args[2]).(string)
		sum, err := strconv.ParseInt(cmp.Or(before, "0"), 10, 64)
		by, err2 := strconv.ParseInt(args[3], 10, 64)
		if err != nil || err2 != nil {
			return redisFault("ERR hash value is not an integer")
		}
		w.setField(args[1], args[2], strconv.FormatInt(sum+by, 10))
		return sum + by
	case "HGETALL":
		return pairs(h)
	case "HSCAN":
		return []any{"0", pairs(h)}
	}
	return redisFault(fmt.Sprintf("ERR unknown command '%s'", args[0]))
}

func pairs(h hash) []any {
	fields := make([]string, 0, len(h))
	for field := range h {
		fields = append(fields, field)
	}
	sort.Strings(fields)
	list := make([]any, 0, 2*len(h))
	for _, field := range fields {
		list = append(list, field, h[field])
	}
	return list
}
