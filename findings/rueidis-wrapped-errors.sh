#!/usr/bin/env bash
# rueidis 1.0.79: IsRedisErr and IsRedisNil do not look through a wrapped error, while IsParseErr of the same package does.
#
# IsRedisErr is a type assertion. Once a caller has added the address with fmt.Errorf and %w, a refusal by Redis (NOPERM,
# WRONGPASS) is no longer an error of Redis to it, so a program that tells refusals from network faults by it takes the refusal
# for a fault of the network and tries again. errors.As with a *rueidis.RedisError finds it; only a nil answer is one too. The
# maintainer calls this intended and had tests added for it (redis/rueidis, pull requests 262 and 263); the function's
# documentation does not say it.
source "$(dirname "$0")/lib.sh"
debian bookworm redis-server
PORT=$(port 1)
(within bookworm redis-server --port "$PORT" --bind 127.0.0.1 --dir "$FOLDER" --save '' --logfile "$FOLDER/log") &
STARTED+=("$!")
eventually listens "$PORT"
go_program github.com/redis/rueidis@v1.0.79 <<'GO'
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/redis/rueidis"
)

func open(user, password string) (rueidis.Client, error) {
	return rueidis.NewClient(rueidis.ClientOption{InitAddress: os.Args[1:], Username: user, Password: password})
}

// tell prints what each way says about an error and about the same error in another one.
func tell(name string, err error) {
	wrapped := fmt.Errorf("redis at %s: %w", os.Args[1], err)
	_, plain := rueidis.IsRedisErr(err)
	_, hidden := rueidis.IsRedisErr(wrapped)
	var answer *rueidis.RedisError
	fmt.Printf("%s %v, wrapped %v, errors.As %v\n", name, plain, hidden, errors.As(wrapped, &answer))
}

func main() {
	ctx := context.Background()
	client, err := open("", "")
	if err != nil {
		panic(err)
	}
	do := func(c rueidis.Client, words ...string) rueidis.RedisResult {
		return c.Do(ctx, c.B().Arbitrary(words...).Build())
	}
	if err := do(client, "ACL", "SETUSER", "reader", "on", ">word", "~*", "+get", "+client", "+hello").Error(); err != nil {
		panic(err)
	}
	_, err = open("reader", "another word")
	tell("WRONGPASS", err)
	reader, err := open("reader", "word")
	if err != nil {
		panic(err)
	}
	tell("NOPERM", do(reader, "SET", "k", "v").Error())
	none := do(client, "GET", "none").Error()
	fmt.Printf("nil %v, wrapped %v\n", rueidis.IsRedisNil(none), rueidis.IsRedisNil(fmt.Errorf("read: %w", none)))
	_, err = do(client, "ACL", "USERS").ToInt64()
	fmt.Printf("parse %v, wrapped %v\n", rueidis.IsParseErr(err), rueidis.IsParseErr(fmt.Errorf("read: %w", err)))
}
GO
"$FOLDER/program" "127.0.0.1:$PORT" >"$FOLDER/said" 2>"$FOLDER/err" || cannot "$(head -3 "$FOLDER/err")"
said() { sed -n "s/^$1 //p" "$FOLDER/said"; }
still "IsRedisErr of a refused login (WRONGPASS)" "$(said WRONGPASS)" "true, wrapped false, errors.As true"
still "IsRedisErr of a refused command (NOPERM)" "$(said NOPERM)" "true, wrapped false, errors.As true"
still "IsRedisNil of a key that does not exist" "$(said nil)" "true, wrapped false"
still "IsParseErr of an answer of another type" "$(said parse)" "true, wrapped true"
