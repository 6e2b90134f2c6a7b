#!/usr/bin/env bash
# sarama 1.61.1: a ClusterAdmin repeats a call about a group whose coordinator is "not available" or elsewhere, and gives up at
# once, whatever Admin.Retry says, while the coordinator still reads its groups (error 14, which the protocol calls retriable).
#
# Every move of a coordinator begins with that error, and so does the first group of a new cluster. The client of franz-go repeats
# both. The broker here is franz-go's kfake, which answers two requests to delete a group with an error, and then as always.
source "$(dirname "$0")/lib.sh"
go_program github.com/IBM/sarama@v1.61.1 github.com/twmb/franz-go@v1.22.2 github.com/twmb/franz-go/pkg/kadm@v1.18.0 \
	github.com/twmb/franz-go/pkg/kfake@v0.0.0-20260918054303-01f206a7e32c <<'GO'
package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func main() {
	cluster := must(kfake.NewCluster(kfake.NumBrokers(1)))
	defer cluster.Close()
	c := sarama.NewConfig()
	c.Version = sarama.V2_8_0_0
	c.Admin.Retry.Max, c.Admin.Retry.Backoff = 10, 20*time.Millisecond
	admin := must(sarama.NewClusterAdmin(cluster.ListenAddrs(), c))
	defer admin.Close()
	client := must(kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...)))
	defer client.Close()

	var code atomic.Int32
	var asked, left atomic.Int32
	cluster.ControlKey(int16(kmsg.DeleteGroups), func(request kmsg.Request) (kmsg.Response, error, bool) {
		asked.Add(1)
		if left.Add(-1) < 0 {
			return nil, nil, false
		}
		cluster.KeepControl()
		delete := request.(*kmsg.DeleteGroupsRequest)
		answer := delete.ResponseKind().(*kmsg.DeleteGroupsResponse)
		for _, group := range delete.Groups {
			answer.Groups = append(answer.Groups, kmsg.DeleteGroupsResponseGroup{Group: group, ErrorCode: int16(code.Load())})
		}
		return answer, nil, true
	})
	try := func(name string, failing *kerr.Error, call func() error) {
		code.Store(int32(failing.Code))
		asked.Store(0)
		left.Store(2)
		err := call()
		fmt.Println(name, asked.Load(), err)
	}
	bySarama := func() error { return admin.DeleteConsumerGroup("g") }
	byKadm := func() error {
		_, err := kadm.NewClient(client).DeleteGroup(context.Background(), "g")
		return err
	}
	try("away", kerr.CoordinatorNotAvailable, bySarama)
	try("loading", kerr.CoordinatorLoadInProgress, bySarama)
	try("franz", kerr.CoordinatorLoadInProgress, byKadm)
}
GO
"$FOLDER/program" >"$FOLDER/said" 2>"$FOLDER/err" || cannot "$(tail -3 "$FOLDER/err")"
said() { sed -n "s/^$1 //p" "$FOLDER/said"; }
still "questions of sarama, and its error, while no coordinator is there" "$(said away)" \
	"3 kafka server: The group id does not exist"
still "questions of sarama, and its error, while the coordinator reads" "$(said loading)" \
	"1 kafka server: The coordinator is still loading offsets and cannot currently process requests"
still "questions of kadm 1.18.0, and its error, while the coordinator reads" "$(said franz)" \
	"3 GROUP_ID_NOT_FOUND: The group id does not exist."
