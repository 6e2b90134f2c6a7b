package scripts

import (
	"context"
	"fmt"
	"strings"

	"github.com/redis/rueidis"
)

// scriptCall is one call of a script that is not fenced.
type scriptCall struct {
	keys []string
	args []string
}

// maxScriptArgs bounds the arguments of one pipeline of script calls.
const maxScriptArgs = 20_000

// runScripts calls one script for many buckets, pipelined, and passes the replies to each in order; each may be nil.
func (r *Redis) runScripts(ctx context.Context, s Script, calls []scriptCall,
	each func(i int, reply rueidis.RedisMessage) error) error {
	for from, to := 0, 0; from < len(calls); from = to {
		for args := 0; to < len(calls) && args < maxScriptArgs && to-from < maxPipeline; to++ {
			args += len(calls[to].args)
		}
		replies, err := r.runPiece(ctx, s, calls[from:to])
		for i := 0; err == nil && each != nil && i < len(replies); i++ {
			err = each(from+i, replies[i])
		}
		if err != nil {
			return fmt.Errorf("run %s script: %w", s.Name, err)
		}
	}
	return nil
}

// runPiece runs one pipeline, and sends the script's source to a server that lacks it. The fenced scripts are not run this way,
// because only InstallFenced may load them.
func (r *Redis) runPiece(ctx context.Context, s Script, calls []scriptCall) ([]rueidis.RedisMessage, error) {
	replies := make([]rueidis.RedisMessage, len(calls))
	var unknown []int
	err := r.pipeline(ctx, len(calls), func(c rueidis.Client, i int) rueidis.Completed {
		call := calls[i]
		return c.B().Evalsha().Sha1(s.SHA).Numkeys(int64(len(call.keys))).Key(call.keys...).Arg(call.args...).Build()
	}, func(i int, result rueidis.RedisResult) (err error) {
		if redisErr, ok := rueidis.IsRedisErr(result.Error()); ok && redisErr.IsNoScript() {
			unknown = append(unknown, i)
			return nil
		}
		replies[i], err = result.ToMessage()
		return foreignKind("one of the keys "+strings.Join(calls[i].keys, ", "), err)
	})
	if err != nil {
		return nil, err
	}
	err = r.pipeline(ctx, len(unknown), func(c rueidis.Client, i int) rueidis.Completed {
		call := calls[unknown[i]]
		return c.B().Eval().Script(s.Source).Numkeys(int64(len(call.keys))).Key(call.keys...).Arg(call.args...).Build()
	}, func(i int, result rueidis.RedisResult) (err error) {
		replies[unknown[i]], err = result.ToMessage()
		return foreignKind("one of the keys "+strings.Join(calls[unknown[i]].keys, ", "), err)
	})
	return replies, err
}
