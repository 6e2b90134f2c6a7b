#!/usr/bin/env bash
# kadm 1.18.0 of franz-go, with Kafka 4.1.1: one topic that the user may not see makes Metadata fail for all topics and brokers.
#
# Kafka answers for each topic by itself and lists the brokers, and TopicDetail has a field Err for the fault of one topic, which
# kadm fills for a topic that does not exist. For a topic that is refused, Metadata returns an *AuthError that does not name it,
# with neither the other topics nor the brokers; ListTopics, which calls it, does so too. The comment of Metadata says that it
# returns an *AuthErr, and not that the rest is lost; the search found no issue of franz-go that mentions it. So a program that
# wants to say which right is missing asks for one topic at a time, and for the brokers by BrokerMetadata.
source "$(dirname "$0")/lib.sh"
BASE=$(port 4)
go_program github.com/twmb/franz-go@v1.22.2 github.com/twmb/franz-go/pkg/kadm@v1.18.0 \
	github.com/twmb/franz-go/pkg/kmsg@v1.15.0 <<'GO'
package main

import (
	"context"
	"errors"
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

func name(err error) string {
	if err == nil {
		return "no error"
	}
	var of *kerr.Error
	if errors.As(err, &of) {
		return of.Message
	}
	return err.Error()
}

func main() {
	ctx := context.Background()
	admin := kadm.NewClient(as("operator"))
	b := kadm.NewACLs().Topics("seen", "absent").ResourcePatternType(kadm.ACLPatternLiteral).Operations(kadm.OpDescribe).
		Allow("User:viewer").AllowHosts()
	for _, result := range must(admin.CreateACLs(ctx, b)) {
		must(0, result.Err)
	}
	for _, result := range must(admin.CreateTopics(ctx, 1, 1, nil, "seen", "unseen")) {
		must(0, result.Err)
	}
	client := as("viewer")
	viewer := kadm.NewClient(client)
	tell := func(what string, m kadm.Metadata, err error) {
		fmt.Printf("%s %s, brokers %d, topics %d, of seen %s, of absent %s\n", what, name(err), len(m.Brokers), len(m.Topics),
			name(m.Topics["seen"].Err), name(m.Topics["absent"].Err))
	}
	absent, err := viewer.Metadata(ctx, "seen", "absent")
	tell("absent", absent, err)
	unseen, err := viewer.Metadata(ctx, "seen", "unseen")
	tell("unseen", unseen, err)
	_, err = viewer.ListTopics(ctx, "seen", "unseen")
	fmt.Println("list", name(err))

	request := kmsg.NewPtrMetadataRequest()
	for _, topic := range []string{"seen", "unseen"} {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = &topic
		request.Topics = append(request.Topics, t)
	}
	answer := must(request.RequestWith(ctx, client))
	codes := map[string]int16{}
	for _, t := range answer.Topics {
		codes[*t.Topic] = t.ErrorCode
	}
	fmt.Printf("kafka brokers %d, of seen %s, of unseen %s\n", len(answer.Brokers), name(kerr.ErrorForCode(codes["seen"])),
		name(kerr.ErrorForCode(codes["unseen"])))
}
GO
kafka 4.1.1
secured viewer
broker 4.1.1 1 1 "$BASE"
eventually listens $((BASE + 2))
"$FOLDER/program" "127.0.0.1:$((BASE + 2))" >"$FOLDER/said" 2>"$FOLDER/err" || cannot "$(head -3 "$FOLDER/err")"
said() { sed -n "s/^$1 //p" "$FOLDER/said"; }
still "what Kafka answers for a topic and a refused one" "$(said kafka)" \
	"brokers 1, of seen no error, of unseen TOPIC_AUTHORIZATION_FAILED"
still "Metadata of a topic and an absent one" "$(said absent)" \
	"no error, brokers 1, topics 2, of seen no error, of absent UNKNOWN_TOPIC_OR_PARTITION"
still "Metadata of a topic and a refused one" "$(said unseen | cut -d, -f1-3)" \
	"TOPIC_AUTHORIZATION_FAILED, brokers 0, topics 0"
still "ListTopics of the same" "$(said list)" TOPIC_AUTHORIZATION_FAILED
