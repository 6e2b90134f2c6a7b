package sim

import (
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"sync"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/parse"
)

// compiled are the scripts that any sale of this process has sent: compiling one takes longer than running it.
var compiled sync.Map // SHA-1 -> *lua.FunctionProto

func shaOf(source string) string {
	sum := sha1.Sum([]byte(source))
	return hex.EncodeToString(sum[:])
}

func compile(source string) (*lua.FunctionProto, error) {
	sha := shaOf(source)
	if found, ok := compiled.Load(sha); ok {
		return found.(*lua.FunctionProto), nil
	}
	chunk, err := parse.Parse(strings.NewReader(source), "script")
	if err != nil {
		return nil, err
	}
	proto, err := lua.Compile(chunk, "script")
	if err == nil {
		compiled.Store(sha, proto)
	}
	return proto, err
}

// machine is a Lua interpreter that runs scripts as Redis does.
type machine struct {
	state *lua.LState
	run   func(args []string) any // a command of the script
}

var machines = sync.Pool{New: func() any { return newMachine() }}

func newMachine() *machine {
	m := &machine{state: lua.NewState(lua.Options{SkipOpenLibs: true, RegistrySize: 4096, RegistryMaxSize: 1 << 16})}
	for _, open := range []lua.LGFunction{lua.OpenBase, lua.OpenTable, lua.OpenString, lua.OpenMath} {
		m.state.Push(m.state.NewFunction(open))
		m.state.Call(0, 0)
	}
	redis := m.state.NewTable()
	redis.RawSetString("call", m.state.NewFunction(func(l *lua.LState) int { return m.command(l, true) }))
	redis.RawSetString("pcall", m.state.NewFunction(func(l *lua.LState) int { return m.command(l, false) }))
	m.state.SetGlobal("redis", redis)
	return m
}

func (m *machine) command(l *lua.LState, raise bool) int {
	args := make([]string, l.GetTop())
	for i := range args {
		args[i] = argument(l.Get(i + 1))
	}
	reply := m.run(args)
	if fault, is := reply.(redisFault); is && raise {
		l.Error(m.toLua(fault), 1)
	}
	l.Push(m.toLua(reply))
	return 1
}

// argument converts an argument of a script's command: Redis writes whole numbers without a fraction.
func argument(v lua.LValue) string {
	if n, is := v.(lua.LNumber); is {
		if f := float64(n); f == float64(int64(f)) {
			return strconv.FormatInt(int64(f), 10)
		}
		return strconv.FormatFloat(float64(n), 'g', 17, 64)
	}
	return v.String()
}

func (m *machine) toLua(reply any) lua.LValue {
	switch r := reply.(type) {
	case int64:
		return lua.LNumber(r)
	case string:
		return lua.LString(r)
	case status:
		t := m.state.NewTable()
		t.RawSetString("ok", lua.LString(r))
		return t
	case redisFault:
		t := m.state.NewTable()
		t.RawSetString("err", lua.LString(r))
		return t
	case []any:
		t := m.state.CreateTable(len(r), 0)
		for _, v := range r {
			t.Append(m.toLua(v))
		}
		return t
	}
	return lua.LFalse
}

func fromLua(v lua.LValue) any {
	switch v := v.(type) {
	case lua.LNumber:
		return int64(v)
	case lua.LString:
		return string(v)
	case lua.LBool:
		if v {
			return int64(1)
		}
	case *lua.LTable:
		if fault, is := v.RawGetString("err").(lua.LString); is {
			return redisFault(fault)
		}
		if word, is := v.RawGetString("ok").(lua.LString); is {
			return status(word)
		}
		list := []any{}
		for i := 1; v.RawGetInt(i) != lua.LNil; i++ {
			list = append(list, fromLua(v.RawGetInt(i)))
		}
		return list
	}
	return nil
}

// eval runs a script; run executes its commands.
func eval(proto *lua.FunctionProto, keys, args []string, run func([]string) any) any {
	m := machines.Get().(*machine)
	defer machines.Put(m)
	m.run = run
	m.state.SetGlobal("KEYS", m.list(keys))
	m.state.SetGlobal("ARGV", m.list(args))
	m.state.Push(m.state.NewFunctionFromProto(proto))
	if err := m.state.PCall(0, 1, nil); err != nil {
		m.state.SetTop(0)
		var raised *lua.ApiError
		if errors.As(err, &raised) {
			if fault, is := fromLua(raised.Object).(redisFault); is {
				return fault // a command's own error keeps its name
			}
		}
		return redisFault("ERR " + strings.SplitN(err.Error(), "\n", 2)[0])
	}
	reply := fromLua(m.state.Get(-1))
	m.state.SetTop(0)
	return reply
}

func (m *machine) list(of []string) *lua.LTable {
	t := m.state.CreateTable(len(of), 0)
	for _, v := range of {
		t.Append(lua.LString(v))
	}
	return t
}
