package bench

import (
	"bufio"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"
)

const (
	halfFor      = 4 * time.Second
	alonePresses = 300 // of the one buyer after the other, in one repetition
	ackTopic     = "bench-ack"
	ackBytes     = 256 // a record of one order is about that long
)

// greatestRate is the rate of orders that the closed loop reaches on this deployment.
func (s *stack) greatestRate() float64 {
	s.b.Helper()
	s.warm("rush")
	if s.rate == 0 {
		count, took := s.take(s.presses("rush", acceptOrders), nil)
		s.rate = float64(count.Answers) / took.Seconds()
	}
	return s.rate
}

// half measures how long buyers wait who come at half of the greatest rate, whether or not anybody was answered. A press
// that leaves late has waited since it was due.
func (s *stack) half() []*Figure {
	s.setRules()
	rate := s.greatestRate() / 2
	p50 := &Figure{Name: fmt.Sprintf("accept at %.0f orders/s, half of that rate, open loop: p50", rate), Unit: "ms"}
	p99 := &Figure{Name: "  p99", Unit: "ms", Target: 10}
	late := &Figure{Name: "  presses that left over 10 ms late, for want of processor in the client", Unit: "presses ÷ all"}
	for range repetitions {
		requests := s.presses("rush", int(rate*halfFor.Seconds()))
		s.drained()
		count := s.pressAt(requests, rate)
		p50.Ours = append(p50.Ours, milliseconds(count.P50))
		p99.Ours = append(p99.Ours, milliseconds(count.P99))
		late.Add(float64(count.Late), float64(count.Answers))
	}
	return []*Figure{p50, p99, late}
}

// pressAt sends presses that must all be taken in an open loop. There are more connections than in the closed loop, so that
// none that waits for an answer keeps a press from leaving.
func (s *stack) pressAt(requests *Requests, rate float64) Count {
	s.b.Helper()
	driver, err := NewDriver(s.b.Context(), s.gatewayAt, 2*acceptConnection)
	require.NoError(s.b, err)
	defer driver.Close()
	count, err := driver.At(s.b.Context(), requests, rate)
	require.NoError(s.b, err)
	require.NoError(s.b, count.Only(202))
	return count
}

// alone measures one buyer after the other on an idle engine, beside what none of them can do without: a round trip to
// Redis and an acknowledgement of Kafka, asked from here as the gateway asks.
func (s *stack) alone() []*Figure {
	s.warm("rush")
	s.setRules()
	added := &Figure{Name: "one buyer alone: purchase beyond Redis and Kafka, p50", Unit: "ms", Target: 0.3}
	purchase, redis := &Figure{Name: "  purchase", Unit: "ms"}, &Figure{Name: "  Redis round trip", Unit: "ms"}
	kafka := &Figure{Name: "  Kafka acknowledgement", Unit: "ms"}
	s.createTopic(ackTopic, 1)
	for range repetitions {
		requests := s.presses("rush", alonePresses)
		s.drained()
		count := s.pressAlone(requests)
		purchase.Ours = append(purchase.Ours, milliseconds(count.P50))
		redis.Ours = append(redis.Ours, milliseconds(s.pingRedis()))
		kafka.Ours = append(kafka.Ours, milliseconds(s.produceAlone()))
		last := len(purchase.Ours) - 1
		added.Ours = append(added.Ours, purchase.Ours[last]-redis.Ours[last]-kafka.Ours[last])
	}
	return []*Figure{added, purchase, redis, kafka}
}

// pressAlone sends one press after the other on one connection.
func (s *stack) pressAlone(requests *Requests) Count {
	s.b.Helper()
	driver, err := NewDriver(s.b.Context(), s.gatewayAt, 1)
	require.NoError(s.b, err)
	defer driver.Close()
	count, err := driver.Once(s.b.Context(), requests)
	require.NoError(s.b, err)
	require.NoError(s.b, count.Only(202))
	return count
}

func milliseconds(d time.Duration) float64 { return d.Seconds() * 1000 }

// pingRedis is the median of round trips on one connection.
func (s *stack) pingRedis() time.Duration {
	s.b.Helper()
	conn, err := net.Dial("tcp", s.redis[0].Addr)
	require.NoError(s.b, err)
	defer conn.Close()
	in := bufio.NewReader(conn)
	return s.middle(func() error {
		if _, err := conn.Write([]byte("PING\r\n")); err != nil {
			return err
		}
		_, err := in.ReadString('\n')
		return err
	})
}

// produceAlone is the median of the times in which Kafka acknowledges a record to the library that the gateway uses.
func (s *stack) produceAlone() time.Duration {
	s.b.Helper()
	config := sarama.NewConfig()
	config.Version, config.Net.MaxOpenRequests = sarama.V2_8_0_0, 1
	config.Producer.RequiredAcks, config.Producer.Idempotent = sarama.WaitForAll, true
	config.Producer.Return.Successes = true
	producer, err := sarama.NewSyncProducer(s.kafka.Brokers, config)
	require.NoError(s.b, err)
	defer producer.Close()
	value := sarama.ByteEncoder(make([]byte, ackBytes))
	return s.middle(func() error {
		_, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: ackTopic, Value: value})
		return err
	})
}

// middle returns the median time of one step after the other.
func (s *stack) middle(step func() error) time.Duration {
	s.b.Helper()
	times := make([]time.Duration, alonePresses)
	for i := range times {
		began := time.Now()
		require.NoError(s.b, step())
		times[i] = time.Since(began)
	}
	slices.Sort(times)
	return times[len(times)/2]
}
