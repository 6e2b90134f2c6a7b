package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// redisCommands are the commands that the engine sends, as docs/operations.md grants them, each with arguments. A test compares
// them with that page. KEY is replaced by a key of the namespace.
func redisCommands() []string {
	return []string{"INFO", "ROLE", "TIME", "TYPE KEY", "EXISTS KEY", "GET KEY", "SETNX KEY v", "GETSET KEY v", "UNLINK KEY",
		"HGET KEY f", "HGETALL KEY", "HMGET KEY f", "HSET KEY f v", "HDEL KEY f", "HEXISTS KEY f", "HLEN KEY", "HSCAN KEY 0",
		"SADD KEY m", "SCARD KEY", "SMISMEMBER KEY m", "XADD KEY * f v", "XDEL KEY 1-1", "XLEN KEY", "XRANGE KEY - +",
		"EVALSHA x 0", "EVAL x 0", "SCRIPT LOAD x", "SCRIPT EXISTS x", "CLUSTER SLOTS", "CLUSTER SHARDS", "PING", "DISCARD",
		"UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE"}
}

// handshake are commands that only some versions of servers and clients need.
var handshake = []string{"HELLO", "CLUSTER SLOTS", "CLUSTER SHARDS", "PING", "DISCARD", "UNSUBSCRIBE", "PUNSUBSCRIBE",
	"SUNSUBSCRIBE"}

// askRights asks about each command whether this user may send it. It returns 1, 0 or, for a command that the server does not
// have, -1. It calls nothing else, so nothing is written.
const askRights = `local answers = {}
for i, line in ipairs(ARGV) do
  local words = {}
  for word in string.gmatch(line, "%S+") do words[#words + 1] = word end
  local known, may = pcall(redis.acl_check_cmd, unpack(words))
  if not known then answers[i] = -1 elseif may then answers[i] = 1 else answers[i] = 0 end
end
return answers`

// redisRights is which commands the user may not send.
type redisRights struct {
	asked   bool
	refused []string // by the access control list
	absent  []string // renamed, or not of this server
}

// readRights asks for the rights by a script, because the server then answers without carrying out a command.
func (r *redisReader) readRights(ctx context.Context, namespace string) {
	commands := redisCommands()
	words := []string{"EVAL", askRights, "0"}
	for _, command := range commands {
		words = append(words, strings.Replace(command, "KEY", namespace+":{doctor:0}:meta", 1))
	}
	answer, ok := r.do(ctx, words...)
	if !ok {
		return
	}
	answers, err := answer.AsIntSlice()
	if err != nil || len(answers) != len(commands) {
		r.node.refuse["EVAL"] = errors.Join(fmt.Errorf("an answer of another form"), err)
		return
	}
	r.node.rights.asked = true
	for i, may := range answers {
		name := commandName(commands[i])
		switch {
		case may == 0:
			r.node.rights.refused = append(r.node.rights.refused, name)
		case may < 0 && !slices.Contains(handshake, name):
			r.node.rights.absent = append(r.node.rights.absent, name)
		}
	}
}

// commandName is a command without its arguments, with its second word where that names a part of it.
func commandName(line string) string {
	words := strings.Fields(line)
	if words[0] == "SCRIPT" || words[0] == "CLUSTER" {
		return words[0] + " " + words[1]
	}
	return words[0]
}

const whyRights = "A command that is missing fails every call that needs it, some of them only when a bucket is rebuilt."

// judgeRights judges what the user may send.
func (j nodeJudge) judgeRights() {
	eval := j.refuse["EVAL"]
	all := make([]string, 0, len(redisCommands()))
	for _, line := range redisCommands() {
		all = append(all, commandName(line))
	}
	switch missing := j.rights.refused; {
	case eval != nil && strings.HasPrefix(eval.Error(), "NOPERM"):
		j.note(Danger, "rights", whyRights, j.grant(all), "user %s may not send EVAL, or has no key of the namespace: %v",
			j.user(), eval)
	case eval != nil:
		j.note(Unknown, "rights", whyRights, j.grant(all), "the rights cannot be asked for: %v", eval)
	case !j.rights.asked:
		j.note(Unknown, "rights", whyRights, j.cli("ACL LIST"), "the rights were not asked for")
	case len(j.rights.absent) == len(redisCommands()):
		j.note(Unknown, "rights", whyRights, j.cli("ACL LIST"), "this server is too old to be asked for rights")
	case len(missing) > 0:
		j.note(Danger, "rights", whyRights, j.grant(missing), "user %s may not send %s", j.user(), strings.Join(missing, ", "))
	case len(j.rights.absent) > 0:
		j.note(Danger, "rights", whyRights, "sed -i '/^rename-command/d' /etc/redis/redis.conf  # then restart Redis",
			"the server does not have %s", strings.Join(j.rights.absent, ", "))
	default:
		j.note(OK, "rights", whyRights, "", "user %s may send every command of the engine", j.user())
	}
}

// grant is the line that gives the user commands, and the keys of the namespace.
func (j nodeJudge) grant(commands []string) string {
	rules := []string{"~" + j.options.Namespace + ":*"}
	for _, command := range commands {
		rules = append(rules, "+"+strings.ToLower(strings.Replace(command, " ", "|", 1)))
	}
	return j.allow(rules...)
}

// allow is the line that adds rules to the user, quoted for a shell.
func (j nodeJudge) allow(rules ...string) string {
	line := "ACL SETUSER " + j.user()
	for _, rule := range rules {
		if strings.ContainsAny(rule, "|~*") {
			rule = "'" + rule + "'"
		}
		line += " " + rule
	}
	return j.cli(line)
}
