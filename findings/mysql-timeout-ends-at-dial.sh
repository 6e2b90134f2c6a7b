#!/usr/bin/env bash
# go-sql-driver/mysql 1.10.1: `timeout` does not bound the attempt to connect to a server that accepts and is silent.
#
# `timeout` bounds the TCP dial. The server's greeting, TLS and the login come after it and are bounded by `readTimeout`, which is
# also that of every query, or by the context of the call. A server that is stopped accepts connections in its queue, so that is
# what a client meets when a machine hangs. With a list of servers to be tried in turn, the second one is never asked.
source "$(dirname "$0")/lib.sh"
go_program github.com/go-sql-driver/mysql@v1.10.1 <<'GO'
package main

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"log"
	"net"
	"time"

	"github.com/go-sql-driver/mysql"
)

const short, long = 200 * time.Millisecond, 2 * time.Second

// ping connects to a server that accepts and says nothing until it closes after the long time, and tells whether the short
// time ended the attempt.
func ping(ctx context.Context, parameters string) bool {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer silent.Close()
	go func() {
		for {
			conn, err := silent.Accept()
			if err != nil {
				return
			}
			time.AfterFunc(long, func() { conn.Close() })
		}
	}()
	db, err := sql.Open("mysql", "shop:x@tcp("+silent.Addr().String()+")/shop?"+parameters)
	if err != nil {
		panic(err)
	}
	defer db.Close()
	began := time.Now()
	if err := db.PingContext(ctx); err == nil {
		panic("a silent server answered")
	}
	return time.Since(began) < long
}

func main() {
	if err := mysql.SetLogger(log.New(io.Discard, "", 0)); err != nil {
		panic(err)
	}
	ctx := context.Background()
	fmt.Println("timeout", ping(ctx, "timeout="+short.String()))
	fmt.Println("readTimeout", ping(ctx, "readTimeout="+short.String()))
	ctx, cancel := context.WithTimeout(ctx, short)
	defer cancel()
	fmt.Println("context", ping(ctx, ""))
}
GO
"$FOLDER/program" >"$FOLDER/said" 2>"$FOLDER/err" || cannot "$(head -3 "$FOLDER/err")"
said() { sed -n "s/^$1 //p" "$FOLDER/said"; }
still "timeout=200ms ends the attempt to connect to a silent server" "$(said timeout)" "false"
still "readTimeout=200ms ends it" "$(said readTimeout)" "true"
still "a context of 200 ms ends it" "$(said context)" "true"
