#!/usr/bin/env bash
# Redis 7.0.15 and Valkey 9.1.2: min-replicas-to-write counts a replica that has not loaded its copy yet.
#
# The setting is meant to stop a primary whose writes no replica has. While a replica gets its first copy, or a whole one after
# a restart, the primary calls it online as soon as the copy is sent, and takes writes. The replica has none of them before it has
# read the copy from its disk, which takes long with much data. When the primary dies in that time, a replica that is promoted
# lacks every write that was accepted. Redis 8.0.2 takes no write before the replica has loaded.
source "$(dirname "$0")/lib.sh"

ask() { (within "$SUITE" "$CLI" -p "$@") 2>/dev/null; }
answers() { [ "$(ask "$1" PING)" = PONG ]; }
start() {
	mkdir -p "$FOLDER/$SUITE-$1"
	(within "$SUITE" "$SERVER" --port "$1" --bind 127.0.0.1 --dir "$FOLDER/$SUITE-$1" --save '' --enable-debug-command yes \
		--repl-diskless-sync-delay 0 --key-load-delay 50 --logfile log) & # reading a key takes 50 µs, as a large one may
	SERVING=$!
	STARTED+=("$SERVING")
	eventually answers "$1"
}
accepted() { [ "$(ask "$PRIMARY" SET written 1)" = OK ]; }
promoted() { [ "$(ask "$REPLICA" REPLICAOF NO ONE)" = OK ]; }
loaded() { [[ "$(ask "$REPLICA" DBSIZE)" =~ ^[0-9]+$ ]]; }

# engine SUITE PACKAGE SERVER CLI VERSION KEPT: checks one version.
engine() {
	SUITE=$1 SERVER=$3 CLI=$4
	debian "$SUITE" "$2"
	PRIMARY=$(port 2) REPLICA=$((PRIMARY + 1))
	start "$PRIMARY"
	local primary=$SERVING
	start "$REPLICA"
	still "version" "$(ask "$PRIMARY" INFO server | tr -d '\r' | sed -nE 's/^(redis|valkey)_version:/\1 /p' | tail -1)" "$5"
	ask "$PRIMARY" DEBUG POPULATE 100000 >/dev/null
	ask "$PRIMARY" CONFIG SET min-replicas-to-write 1 >/dev/null
	still "$5: a write without a replica" "$(ask "$PRIMARY" SET written 1 | cut -d' ' -f1)" NOREPLICAS
	ask "$REPLICA" REPLICAOF 127.0.0.1 "$PRIMARY" >/dev/null
	eventually accepted
	kill -KILL "$primary"
	wait "$primary" 2>/dev/null || true
	eventually promoted
	eventually loaded
	still "$5: the write on the replica that took over" "$(ask "$REPLICA" EXISTS written)" "$6"
	ask "$REPLICA" SHUTDOWN NOSAVE >/dev/null || true
}

engine bookworm redis-server redis-server redis-cli "redis 7.0.15" 0
engine trixie redis-server redis-server redis-cli "redis 8.0.2" 1
engine sid valkey-server valkey-server valkey-cli "valkey 9.1.2" 0
