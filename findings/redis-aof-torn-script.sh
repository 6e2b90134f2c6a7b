#!/usr/bin/env bash
# Redis 7.0.15 and 8.0.2: an append-only file that ends inside the block of a script is repaired so that the block stays open.
#
# A script's writes are between MULTI and EXEC in the file. A crash may cut the file anywhere. When the cut is inside a
# command of the block, the next start truncates to the end of the last whole command, and MULTI without EXEC stays in the
# file. The server runs without the writes of the cut script, and appends later acknowledged writes after the open MULTI. The
# following start, clean and with nothing cut, reads all of them as the rest of the block:
#   - plain writes up to the end are dropped, although they were acknowledged and fsynced;
#   - a later script's EXEC closes the block, and then the first half of the cut script is applied too, which did not
#     exist while the server ran: half of an atomic step.
# Valkey 9.1.2 truncates to before MULTI and does neither. "aof-load-truncated yes" is the default, and its log line says that
# a truncated file was loaded. The workaround is BGREWRITEAOF after every start that logs a truncation.
source "$(dirname "$0")/lib.sh"

ask() { (within "$SUITE" "$CLI" -p "$PORT" "$@") 2>/dev/null; }
answers() { [ "$(ask PING)" = PONG ]; }
rewritten() {
	ask INFO persistence | tr -d '\r' | grep -q '^aof_rewrite_in_progress:0' &&
	[ "$(ls "$DATA"/appendonlydir/*.base.* | grep -c '\.2\.base')" = 1 ]
}
start() {
	(within "$SUITE" "$SERVER" --port "$PORT" --bind 127.0.0.1 --dir "$DATA" --save '' --appendonly yes --appendfsync always \
		--logfile "$DATA/log") &
	SERVING=$!
	STARTED+=("$SERVING")
	eventually answers
}
stop() {
	ask SHUTDOWN NOSAVE >/dev/null || true
	wait "$SERVING" || true
}

# torn CUT: a server whose file has lost its last CUT bytes, which are the end of a script that set the keys a and b.
torn() {
	PORT=$(port 1)
	DATA=$(mktemp -d "$FOLDER/data-XXXXXX")
	start
	ask EVAL "redis.call('SET', KEYS[1], 1) redis.call('SET', KEYS[2], 1) return 1" 2 a b >/dev/null
	stop
	truncate -s "-$1" "$DATA"/appendonlydir/*.incr.aof
	start
}
plain_writes() { for i in $(seq 100); do ask SET "key-$i" value; done | grep -c OK; }
again() {
	stop
	start
}

# engine SUITE PACKAGE SERVER CLI VERSION LOST HALF: checks one version.
engine() {
	SUITE=$1 SERVER=$3 CLI=$4
	debian "$SUITE" "$2"
	torn 5 # of the 14 bytes that are EXEC
	still "version" "$(ask INFO server | tr -d '\r' | sed -nE 's/^(redis|valkey)_version:/\1 /p' | tail -1)" "$5"
	still "$5: plain writes that are acknowledged after the truncation" "$(plain_writes)" 100
	again
	still "$5: of these, lost at the next start in order" "$((100 - $(ask DBSIZE)))" "$6"
	grep -iE 'truncat|revert' "$DATA/log" | sed -E 's/^.* [#*] /    log: /'
	stop

	torn 20 # EXEC and the last bytes of the second SET
	still "$5: keys of the cut script after the truncation" "$(ask EXISTS a b)" 0
	ask EVAL "redis.call('SET', KEYS[1], 1) redis.call('SET', KEYS[2], 1) return 1" 2 c d >/dev/null
	again
	still "$5: keys of the cut script once a later script and a start in order are behind it" "$(ask EXISTS a b)" "$7"
	still "$5: keys of the later script" "$(ask EXISTS c d)" 2
	stop

	torn 5
	ask BGREWRITEAOF >/dev/null
	eventually rewritten
	still "$5: plain writes after BGREWRITEAOF" "$(plain_writes)" 100
	again
	still "$5: of these, lost at the next start in order" "$((100 - $(ask DBSIZE)))" 0
	stop
}

engine bookworm redis-server redis-server redis-cli "redis 7.0.15" 100 1
engine trixie redis-server redis-server redis-cli "redis 8.0.2" 100 1
engine sid valkey-server valkey-server valkey-cli "valkey 9.1.2" 0 0
