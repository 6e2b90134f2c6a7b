#!/usr/bin/env bash
# Redis 7.0.15: while a cluster moves a slot, a script with several keys of that slot is refused for keys that never existed,
# by both the old and the new owner, until the move has ended.
#
# The old owner has no such key, so it answers ASK, as for keys that have moved already. The new owner has none either,
# assumes that they may still be moved, and answers TRYAGAIN. A script with one key succeeds. So a script that creates the
# first keys under a hash tag fails there during the whole move, however often it is repeated: it is not a short race.
source "$(dirname "$0")/lib.sh"
debian bookworm redis-server
OLD=$(port 2)
NEW=$((OLD + 1))

ask() { (within bookworm redis-cli -p "$@") 2>&1; }
node() {
	mkdir "$FOLDER/$1"
	(within bookworm redis-server --port "$1" --bind 127.0.0.1 --dir "$FOLDER/$1" --save '' --cluster-enabled yes \
		--logfile "$FOLDER/$1/log") &
	STARTED+=("$!")
	eventually answers "$1"
}
answers() { [ "$(ask "$1" PING)" = PONG ]; }
knows() { ask "$1" CLUSTER INFO | grep -q cluster_state:ok; }

node $OLD
node $NEW
ask $OLD CLUSTER ADDSLOTSRANGE 0 16383 >/dev/null
ask $NEW CLUSTER SET-CONFIG-EPOCH 2 >/dev/null
ask $OLD CLUSTER MEET 127.0.0.1 $NEW >/dev/null
eventually knows $OLD
eventually knows $NEW
SLOT=$(ask $OLD CLUSTER KEYSLOT '{t}')
ask $OLD CLUSTER SETSLOT "$SLOT" MIGRATING "$(ask $NEW CLUSTER MYID)" >/dev/null
ask $NEW CLUSTER SETSLOT "$SLOT" IMPORTING "$(ask $OLD CLUSTER MYID)" >/dev/null

still "version" "$(ask $OLD INFO server | tr -d '\r' | sed -n 's/^redis_version://p')" 7.0.15
SCRIPT="for _, k in ipairs(KEYS) do redis.call('SET', k, 1) end return 'done'"
asked() { printf 'ASKING\nEVAL "%s" %s\n' "$SCRIPT" "$*" | ask $NEW | grep . | tail -1; }
still "two new keys, old owner" "$(ask $OLD EVAL "$SCRIPT" 2 '{t}a' '{t}b' | cut -d' ' -f1)" ASK
still "two new keys, new owner behind ASKING" "$(asked 2 '{t}a' '{t}b' | cut -d' ' -f1-2)" "TRYAGAIN Multiple"
still "one new key, new owner behind ASKING" "$(asked 1 '{t}c')" done
still "two new keys, new owner, asked again" "$(asked 2 '{t}a' '{t}b' | cut -d' ' -f1-2)" "TRYAGAIN Multiple"
ask $NEW CLUSTER SETSLOT "$SLOT" NODE "$(ask $NEW CLUSTER MYID)" >/dev/null
still "two new keys, new owner, once the move has ended" "$(ask $NEW EVAL "$SCRIPT" 2 '{t}a' '{t}b')" done
