#!/usr/bin/env bash
# Kafka 3.7.2 and 4.1.1: min.insync.replicas above the number of copies is not an error, even with acks=all: it counts as
# the number of copies. A topic of one copy and min.insync.replicas=2 acknowledges every record. Kafka 3.6.2
# refused each one with NOT_ENOUGH_REPLICAS. So no error reveals a topic that was created with too few copies by mistake.
source "$(dirname "$0")/lib.sh"

cat >"$FOLDER/Send.java" <<'JAVA'
import java.util.*;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.serialization.StringSerializer;

public class Send {
    public static void main(String[] args) throws Exception {
        Map<String, Object> to = Map.of("bootstrap.servers", args[0], "request.timeout.ms", "5000",
                "default.api.timeout.ms", "30000");
        try (Admin admin = Admin.create(to)) {
            NewTopic topic = new NewTopic("t", 1, (short) 1).configs(Map.of("min.insync.replicas", "2"));
            admin.createTopics(List.of(topic)).all().get();
        }
        Map<String, Object> producer = new HashMap<>(to);
        producer.remove("default.api.timeout.ms");
        producer.putAll(Map.of("acks", "all", "delivery.timeout.ms", "10000", "retries", "3"));
        try (var p = new KafkaProducer<>(producer, new StringSerializer(), new StringSerializer())) {
            System.out.println("acknowledged at offset " + p.send(new ProducerRecord<>("t", "v")).get().offset());
        } catch (ExecutionException e) {
            System.out.println(e.getCause().getClass().getSimpleName());
        }
    }
}
JAVA

# sent VERSION: the answer of a broker of that version to a producer with acks=all.
sent() {
	local base
	base=$(port 4)
	kafka "$1"
	broker "$1" 1 1 "$base"
	SAID=$(java -cp "$FOLDER/kafka-$1/libs/*" "$FOLDER/Send.java" "127.0.0.1:$((base + 2))" 2>"$FOLDER/kafka-$1/client") ||
		cannot "$(tail -3 "$FOLDER/kafka-$1/client")"
	kill -KILL "$BROKER"
	wait "$BROKER" 2>/dev/null || true
}

sent 3.6.2
still "Kafka 3.6.2, one copy, min.insync.replicas=2, acks=all" "$SAID" NotEnoughReplicasException
sent 3.7.2
still "Kafka 3.7.2, the same" "$SAID" "acknowledged at offset 0"
sent 4.1.1
still "Kafka 4.1.1, the same" "$SAID" "acknowledged at offset 0"
