#!/usr/bin/env bash
# rueidis 1.0.79 with RESP3, which it uses where the server has it: ToString leaves the format of a verbatim string before it.
#
# CLUSTER INFO then begins with "txt:cluster_state:ok", so a parser of lines name:value finds no cluster_state but a field txt.
# INFO is a verbatim string too, but begins with a comment line, which such parsers skip: the code works with INFO and fails
# with CLUSTER INFO and CLIENT LIST. With RESP2 (AlwaysRESP2) there is no prefix. RESP3's specification calls these bytes the
# format, after which "the real string follows", and lets a client treat the two types of string alike; the client of Ruby had
# the same surprise (redis-rb/redis-cluster-client, pull request 60). The search found no issue of rueidis that mentions it.
source "$(dirname "$0")/lib.sh"
debian bookworm redis-server
PORT=$(port 1)
(within bookworm redis-server --port "$PORT" --bind 127.0.0.1 --dir "$FOLDER" --save '' --cluster-enabled yes \
	--logfile "$FOLDER/log") &
STARTED+=("$!")
eventually listens "$PORT"
go_program github.com/redis/rueidis@v1.0.79 <<'GO'
package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/redis/rueidis"
)

// first returns the name of the first field of an answer of lines name:value, in which # begins a comment.
func first(client rueidis.Client, words ...string) string {
	text, err := client.Do(context.Background(), client.B().Arbitrary(words...).Build()).ToString()
	if err != nil {
		panic(err)
	}
	for line := range strings.Lines(text) {
		name, _, found := strings.Cut(line, ":")
		if found && !strings.Contains(line, "#") {
			return name
		}
	}
	return ""
}

func main() {
	for name, old := range map[string]bool{"RESP2": true, "RESP3": false} {
		client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: os.Args[1:], ForceSingleClient: true,
			AlwaysRESP2: old, DisableCache: old})
		if err != nil {
			panic(err)
		}
		fmt.Println(name, "INFO", first(client, "INFO", "server"))
		fmt.Println(name, "CLUSTER", first(client, "CLUSTER", "INFO"))
		list, err := client.Do(context.Background(), client.B().Arbitrary("CLIENT", "LIST").Build()).ToString()
		if err != nil {
			panic(err)
		}
		field, _, _ := strings.Cut(list, "=")
		fmt.Println(name, "LIST", field)
		client.Close()
	}
}
GO
"$FOLDER/program" "127.0.0.1:$PORT" >"$FOLDER/said" 2>"$FOLDER/err" || cannot "$(head -3 "$FOLDER/err")"
said() { sed -n "s/^$1 //p" "$FOLDER/said"; }
still "first field of INFO, RESP2" "$(said 'RESP2 INFO')" redis_version
still "first field of INFO, RESP3" "$(said 'RESP3 INFO')" redis_version
still "first field of CLUSTER INFO, RESP2" "$(said 'RESP2 CLUSTER')" cluster_state
still "first field of CLUSTER INFO, RESP3" "$(said 'RESP3 CLUSTER')" txt
still "first field of CLIENT LIST, RESP2" "$(said 'RESP2 LIST')" id
still "first field of CLIENT LIST, RESP3" "$(said 'RESP3 LIST')" txt:id
