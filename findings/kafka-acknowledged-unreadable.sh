#!/usr/bin/env bash
# Kafka 4.1.1: records that were acknowledged with acks=all before the brokers were killed cannot be read, and are not counted
# by the end offset, while fewer copies are in sync than min.insync.replicas. They are not lost: once enough copies are
# back they can be read.
#
# A broker stores the high watermark, the offset that all copies have reached, every five seconds. Killed and started alone
# it continues from the stored one, and while the in-sync copies are below the minimum the watermark does not move. Readers
# read up to it. Kafka 3.6.2 moved it as soon as the one broker was the only copy in sync, so the records were readable at once.
source "$(dirname "$0")/lib.sh"

cat >"$FOLDER/Records.java" <<'JAVA'
import java.time.Duration;
import java.util.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.*;

/** "send SERVERS" makes a topic of two copies and sends 100 records; "count SERVERS SECONDS" reads what can be read. */
public class Records {
    static final TopicPartition ONLY = new TopicPartition("t", 0);

    public static void main(String[] args) throws Exception {
        if (args[0].equals("send")) send(args[1]);
        else count(args[1], Integer.parseInt(args[2]));
    }

    static void send(String servers) throws Exception {
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", servers))) {
            NewTopic topic = new NewTopic("t", 1, (short) 2).configs(Map.of("min.insync.replicas", "2"));
            admin.createTopics(List.of(topic)).all().get();
        }
        int sent = 0;
        Map<String, Object> settings = Map.of("bootstrap.servers", servers, "acks", "all");
        try (var producer = new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer())) {
            for (; sent < 100; sent++) producer.send(new ProducerRecord<>("t", "v")).get();
        }
        System.out.println(sent);
    }

    static void count(String servers, int seconds) {
        Map<String, Object> settings = Map.of("bootstrap.servers", servers, "auto.offset.reset", "earliest");
        int read = 0;
        try (var consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer())) {
            consumer.assign(List.of(ONLY));
            consumer.seekToBeginning(List.of(ONLY));
            long until = System.nanoTime() + seconds * 1_000_000_000L;
            while (read < 100 && System.nanoTime() < until) read += consumer.poll(Duration.ofMillis(200)).count();
        }
        System.out.println(read);
    }
}
JAVA

records() {
	java -cp "$FOLDER/kafka-$VERSION/libs/*" "$FOLDER/Records.java" "$@" 2>"$FOLDER/client" ||
		cannot "$(tail -3 "$FOLDER/client")"
}

# tried VERSION READABLE: how many of 100 acknowledged records one of two killed brokers returns.
tried() {
	VERSION=$1
	local base controller first second
	kafka "$1"
	base=$(port 8)
	broker "$1" 1 1 "$base" controller
	controller=$BROKER
	broker "$1" 2 1 "$base" broker
	first=$BROKER
	broker "$1" 3 1 "$base" broker
	second=$BROKER
	local both=127.0.0.1:$((base + 4)),127.0.0.1:$((base + 6))
	still "Kafka $1: records acknowledged by both copies" "$(records send "$both")" 100
	kill -KILL "$first" "$second"
	wait "$first" "$second" 2>/dev/null || true
	broker "$1" 2 1 "$base" broker
	first=$BROKER
	still "Kafka $1: of these, readable within 30 s of the start of one broker" "$(records count 127.0.0.1:$((base + 4)) 30)" "$2"
	broker "$1" 3 1 "$base" broker
	second=$BROKER
	still "Kafka $1: readable once both are there" "$(records count "$both" 60)" 100
	kill -KILL "$first" "$second" "$controller"
	wait "$first" "$second" "$controller" 2>/dev/null || true
}

tried 3.6.2 100
tried 4.1.1 0
