#!/usr/bin/env bash
# Redis 7.0.15 and 8.0.2: an append-only file that ends inside the block of a script is mended so that the block stays open.
#
# A script's writes stand in the file between MULTI and EXEC. A crash may cut the file anywhere. Where the cut falls inside a
# command of the block, the next start truncates to the end of the last whole command, and MULTI without EXEC stays in the
# file. The server serves, and appends what it acknowledges behind the open MULTI. The start after that, in order and with
# nothing cut, takes all of it for the rest of the block and throws it away. Valkey 9.1.2 truncates to before MULTI.
#
# Not what one would guess: "aof-load-truncated yes" is the default and its log line says that a truncated file was mended.
# The way out: BGREWRITEAOF after every start that logs a truncation.
source "$(dirname "$0")/lib.sh"

# lost SUITE PACKAGE SERVER CLI VERSION: how many of 100 acknowledged writes the second clean start has lost.
lost() {
	local suite=$1 server=$3 cli=$4 port data=$FOLDER/data-$1 id
	debian "$suite" "$2"
	port=$(port 1)
	mkdir "$data"
	ask() { (within "$suite" "$cli" -p "$port" "$@") 2>/dev/null; }
	start() {
		(within "$suite" "$server" --port "$port" --bind 127.0.0.1 --dir "$data" --save '' --appendonly yes \
			--appendfsync always --logfile "$data/log") &
		id=$!
		STARTED+=("$id")
		eventually ask PING
		eventually test "$(ask PING)" = PONG
	}
	stop() { ask SHUTDOWN NOSAVE >/dev/null || true; wait "$id" || true; }

	start
	still "$suite, version" "$(ask INFO server | tr -d '\r' | sed -nE 's/^(redis|valkey)_version:/\1 /p' | tail -1)" "$5"
	ask EVAL "redis.call('SET', KEYS[1], 1) redis.call('SET', KEYS[2], 1) return 1" 2 a b >/dev/null
	stop
	local file
	file=$(ls "$data"/appendonlydir/*.incr.aof)
	truncate -s -5 "$file" # five of the last fourteen bytes, which are EXEC
	start
	for i in $(seq 100); do ask SET "key-$i" value >/dev/null; done
	echo "$suite: served after the truncation: $(ask DBSIZE) keys, aof_last_write_status $(ask INFO persistence | tr -d '\r' | sed -n 's/^aof_last_write_status://p')"
	stop
	start
	LOST=$((100 - $(ask DBSIZE)))
	grep -iE 'truncat|revert|multi' "$data/log" | sed "s/^/$suite log: /"
	stop
}

lost bookworm redis-server redis-server redis-cli "redis 7.0.15"
still "Redis 7.0.15, acknowledged writes lost at the next clean start" "$LOST" 100
lost trixie redis-server redis-server redis-cli "redis 8.0.2"
still "Redis 8.0.2, acknowledged writes lost at the next clean start" "$LOST" 100
lost sid valkey-server valkey-server valkey-cli "valkey 9.1.2"
still "Valkey 9.1.2, acknowledged writes lost at the next clean start" "$LOST" 0
