#!/usr/bin/env bash
# Kafka 4.1.1: a user who may describe a topic and not delete it gets UNKNOWN_TOPIC_OR_PARTITION when he deletes the topic while
# it does not exist, and TOPIC_AUTHORIZATION_FAILED only once it exists.
#
# So a program that tries its rights by deleting a topic that never exists learns nothing: the answer is that of a user who has
# the right. DeleteRecords, which asks for the same right, asks for it before it looks for the topic, and answers
# TOPIC_AUTHORIZATION_FAILED. The protocol's documentation gives no order of the two checks; the review of apache/kafka pull
# request 10184 lists the case of DeleteTopics as meant.
source "$(dirname "$0")/lib.sh"
BASE=$(port 4)
go_program github.com/twmb/franz-go@v1.22.2 github.com/twmb/franz-go/pkg/kadm@v1.18.0 \
	github.com/twmb/franz-go/pkg/kmsg@v1.15.0 <<'GO'
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func as(user string) *kgo.Client {
	return must(kgo.NewClient(kgo.SeedBrokers(os.Args[1]), kgo.SASL(plain.Auth{User: user, Pass: user}.AsMechanism())))
}

func said(code int16) string {
	if err := kerr.TypedErrorForCode(code); err != nil {
		return err.Message
	}
	return "no error"
}

// deleteTopic sends the request as it is to the only broker, so that no client looks for the topic first.
func deleteTopic(ctx context.Context, client *kgo.Client, name string) string {
	request := kmsg.NewPtrDeleteTopicsRequest()
	request.TimeoutMillis = 10_000
	topic := kmsg.NewDeleteTopicsRequestTopic()
	topic.Topic = &name
	request.TopicNames, request.Topics = []string{name}, []kmsg.DeleteTopicsRequestTopic{topic}
	answer := must(client.Broker(1).RetriableRequest(ctx, request)).(*kmsg.DeleteTopicsResponse)
	return said(answer.Topics[0].ErrorCode)
}

func deleteRecords(ctx context.Context, client *kgo.Client, name string) string {
	request := kmsg.NewPtrDeleteRecordsRequest()
	request.TimeoutMillis = 10_000
	topic := kmsg.NewDeleteRecordsRequestTopic()
	topic.Topic, topic.Partitions = name, append(topic.Partitions, kmsg.NewDeleteRecordsRequestTopicPartition())
	request.Topics = append(request.Topics, topic)
	answer := must(client.Broker(1).RetriableRequest(ctx, request)).(*kmsg.DeleteRecordsResponse)
	return said(answer.Topics[0].Partitions[0].ErrorCode)
}

func main() {
	ctx := context.Background()
	admin := kadm.NewClient(as("operator"))
	grant := func(user string, right kadm.ACLOperation) {
		b := kadm.NewACLs().Topics("there", "absent").ResourcePatternType(kadm.ACLPatternLiteral).Operations(right).
			Allow("User:" + user).AllowHosts()
		for _, result := range must(admin.CreateACLs(ctx, b)) {
			must(0, result.Err)
		}
	}
	grant("viewer", kadm.OpDescribe)
	grant("deleter", kadm.OpDelete)
	must(admin.CreateTopic(ctx, 1, 1, nil, "there"))
	for _, user := range []string{"viewer", "deleter"} {
		client := as(user)
		fmt.Println(user, "topic", deleteTopic(ctx, client, "absent"))
		fmt.Println(user, "records", deleteRecords(ctx, client, "absent"))
		fmt.Println(user, "there", deleteTopic(ctx, client, "there"))
	}
}
GO
kafka 4.1.1
secured viewer deleter
broker 4.1.1 1 1 "$BASE"
eventually listens $((BASE + 2))
"$FOLDER/program" "127.0.0.1:$((BASE + 2))" >"$FOLDER/said" 2>"$FOLDER/err" || cannot "$(head -3 "$FOLDER/err")"
said() { sed -n "s/^$1 //p" "$FOLDER/said"; }
still "DeleteTopics of an absent topic, with Describe" "$(said 'viewer topic')" UNKNOWN_TOPIC_OR_PARTITION
still "the same, with Delete" "$(said 'deleter topic')" UNKNOWN_TOPIC_OR_PARTITION
still "DeleteRecords of an absent topic, with Describe" "$(said 'viewer records')" TOPIC_AUTHORIZATION_FAILED
still "the same, with Delete" "$(said 'deleter records')" UNKNOWN_TOPIC_OR_PARTITION
still "DeleteTopics of an existing topic, with Describe" "$(said 'viewer there')" TOPIC_AUTHORIZATION_FAILED
still "the same, with Delete" "$(said 'deleter there')" "no error"
