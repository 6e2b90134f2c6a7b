#!/usr/bin/env bash
# sarama 1.61.1: an AsyncProducer refuses a partition for 10 s more after its broker is back, whatever its retry settings are.
#
# Each partition has a circuit breaker of its own that no setting changes. Three failed searches for the leader open it, and then
# every record of the partition fails at once, without any attempt, for ten seconds from the last failure. A producer made at the
# same moment sends at once. So a program that needs Kafka back at once must make a new producer when it sees that error. The
# broker here is franz-go's kfake, which is closed and begun anew at the same port.
source "$(dirname "$0")/lib.sh"
go_program github.com/IBM/sarama@v1.61.1 github.com/eapache/go-resiliency@v1.7.0 github.com/twmb/franz-go@v1.22.2 \
	github.com/twmb/franz-go/pkg/kfake@v0.0.0-20260918054303-01f206a7e32c <<'GO'
package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/IBM/sarama"
	"github.com/eapache/go-resiliency/breaker"
	"github.com/twmb/franz-go/pkg/kfake"
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func broker(port int) *kfake.Cluster {
	options := []kfake.Opt{kfake.NumBrokers(1), kfake.SeedTopics(1, "t")}
	if port != 0 {
		options = append(options, kfake.Ports(port))
	}
	return must(kfake.NewCluster(options...))
}

func producer(address string) sarama.AsyncProducer {
	c := sarama.NewConfig()
	c.Version = sarama.V2_8_0_0
	c.Producer.Return.Successes = true
	c.Producer.Retry.Max, c.Producer.Retry.Backoff = 1000, 50*time.Millisecond
	c.Metadata.Retry.Max, c.Metadata.Retry.Backoff = 0, 50*time.Millisecond
	return must(sarama.NewAsyncProducer([]string{address}, c))
}

func send(p sarama.AsyncProducer) error {
	p.Input() <- &sarama.ProducerMessage{Topic: "t", Value: sarama.StringEncoder("v")}
	select {
	case <-p.Successes():
		return nil
	case failed := <-p.Errors():
		return failed.Err
	}
}

func main() {
	first := broker(0)
	address := first.ListenAddrs()[0]
	port := must(strconv.Atoi(address[strings.LastIndex(address, ":")+1:]))
	old := producer(address)
	fmt.Println("before", send(old))
	first.Close()
	opened := false
	for range 200 {
		if opened = errors.Is(send(old), breaker.ErrBreakerOpen); opened {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	fmt.Println("opened", opened)
	defer broker(port).Close()
	back, others := time.Now(), 0
	fmt.Println("anew", send(producer(address)))
	for {
		err := send(old)
		if err == nil || time.Since(back) > 30*time.Second {
			break
		}
		if !errors.Is(err, breaker.ErrBreakerOpen) {
			others++
		}
		time.Sleep(100 * time.Millisecond)
	}
	fmt.Println("others", others)
	fmt.Println("seconds", int(time.Since(back).Round(time.Second).Seconds()))
}
GO
"$FOLDER/program" >"$FOLDER/said" 2>"$FOLDER/err" || cannot "$(tail -3 "$FOLDER/err")"
said() { sed -n "s/^$1 //p" "$FOLDER/said"; }
still "before" "$(said before)" "<nil>"
still "the breaker opens while the broker is away" "$(said opened)" true
still "a producer that is made when it is back" "$(said anew)" "<nil>"
still "other errors of the old one from then on" "$(said others)" 0
still "seconds until the old one sends" "$(said seconds)" 10
