#!/usr/bin/env bash
# sarama 1.61.1: a ClusterAdmin whose broker was suspended for longer than the read timeout still fails after the broker is back.
#
# The request that timed out leaves the connection to the controller broken, and the client keeps it: every later call fails
# at once with that connection's error, and only the next refresh of the metadata, ten minutes by default, dials again. A
# client made at the same moment works. So a program that keeps a ClusterAdmin must close the controller's connection after an
# error. The broker here is franz-go's kfake behind a link that is paused briefly.
source "$(dirname "$0")/lib.sh"
go_program github.com/IBM/sarama@v1.61.1 github.com/twmb/franz-go@v1.22.2 \
	github.com/twmb/franz-go/pkg/kfake@v0.0.0-20260918054303-01f206a7e32c <<'GO'
package main

import (
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kfake"
)

// link passes bytes on between a client and the broker while it is not held. It listens at the address that the broker gives
// to clients, and the broker itself at another one.
type link struct {
	held sync.RWMutex
}

func (l *link) carry(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	buffer := make([]byte, 1<<16)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		l.held.RLock()
		_, err = to.Write(buffer[:n])
		l.held.RUnlock()
		if err != nil && err != io.EOF {
			return
		}
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func config() *sarama.Config {
	c := sarama.NewConfig()
	c.Version = sarama.V2_8_0_0
	c.Net.DialTimeout, c.Net.ReadTimeout, c.Net.WriteTimeout = time.Second, time.Second, time.Second
	c.Admin.Timeout = time.Second
	return c
}

func main() {
	front := must(net.Listen("tcp", "127.0.0.1:0"))
	l := &link{}
	var back string
	cluster := must(kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(front.Addr().(*net.TCPAddr).Port),
		kfake.SeedTopics(1, "t"), kfake.ListenFn(func(network, _ string) (net.Listener, error) {
			listener, err := net.Listen(network, "127.0.0.1:0")
			if err == nil {
				back = listener.Addr().String()
				listener = named{listener, front.Addr()}
			}
			return listener, err
		})))
	defer cluster.Close()
	go func() {
		for {
			client := must(front.Accept())
			broker := must(net.Dial("tcp", back))
			go l.carry(broker, client)
			go l.carry(client, broker)
		}
	}()
	admin := must(sarama.NewClusterAdmin([]string{front.Addr().String()}, config()))
	describe := func(a sarama.ClusterAdmin) error { _, err := a.DescribeTopics([]string{"t"}); return err }
	fmt.Println("before", describe(admin))
	l.held.Lock()
	fmt.Println("held", describe(admin))
	l.held.Unlock()
	failed := 0
	for range 30 {
		time.Sleep(time.Second)
		if err := describe(admin); err != nil {
			failed++
			fmt.Println("error", err)
		}
	}
	fmt.Println("after", failed)
	fmt.Println("anew", describe(must(sarama.NewClusterAdmin([]string{front.Addr().String()}, config()))))
}

// named is a listener that goes by another address.
type named struct {
	net.Listener
	addr net.Addr
}

func (n named) Addr() net.Addr { return n.addr }
GO
"$FOLDER/program" >"$FOLDER/said" 2>"$FOLDER/err" || cannot "$(tail -3 "$FOLDER/err")"
said() { sed -n "s/^$1 //p" "$FOLDER/said"; }
still "before" "$(said before)" "<nil>"
still "a call while the broker stands still for longer than the read timeout" "$(said held | grep -o 'i/o timeout')" "i/o timeout"
still "calls of 30, one a second, that fail once the broker goes on" "$(said after)" 30
still "how they fail" "$(said error | grep -o 'i/o timeout' | sort -u)" "i/o timeout"
still "a client that is made then" "$(said anew)" "<nil>"
