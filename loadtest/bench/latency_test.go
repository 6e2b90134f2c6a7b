package bench

import (
	"bufio"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"flashsale/loadtest/client"
)

const (
	halfFor      = 4 * time.Second
	alonePresses = 300 // of one buyer after the other, in one repetition
	ackTopic     = "bench-ack"
	ackBytes     = 256 // about the length of a record of one order
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

// half measures the latency for buyers who arrive at half of the greatest rate, in an open loop. The latency of a press
// that leaves late counts from the time it was due.
func (s *stack) half() []*Figure {
	s.setRules()
	figures := s.openLoop("half of that rate", s.greatestRate()/2)
	figures[1].Target, figures[2].Target = 10, 4
	return append(figures, s.openLoop("half of the rate to reach", leastRate/2)...)
}

// openLoop measures the latency for buyers who arrive at a given rate.
func (s *stack) openLoop(name string, rate float64) []*Figure {
	p50 := &Figure{Name: fmt.Sprintf("accept at %.0f orders/s, %s, open loop: p50", rate, name), Unit: "ms"}
	p99 := &Figure{Name: "  p99", Unit: "ms"}
	beside := &Figure{Name: "  p99 ÷ the bare handler's in the same open loop", Unit: "ms"}
	late := &Figure{Name: "  presses that left over 10 ms late, for want of processor in the client", Unit: "presses ÷ all"}
	for range repetitions {
		requests := s.presses("rush", int(rate*halfFor.Seconds()))
		s.drained()
		count := s.pressAt(s.gateway.Listen, requests, rate, 202)
		p50.Ours = append(p50.Ours, milliseconds(count.P50))
		p99.Ours = append(p99.Ours, milliseconds(count.P99))
		late.Add(float64(count.Late), float64(count.Answers))
		s.drained()
		require.NoError(s.b, SetBareAnswer(s.bareAt, s.answerBytes()))
		beside.Add(milliseconds(count.P99), milliseconds(s.pressAt(s.bareAt, requests, rate, 200).P99))
	}
	return []*Figure{p50, p99, beside, late}
}

// pressAt sends presses in an open loop, all of which must be answered with the status. It has more connections than
// the closed loop, so that connections that wait for an answer do not delay a press.
func (s *stack) pressAt(address string, requests *Requests, rate float64, status int) Count {
	s.b.Helper()
	driver, err := NewDriver(s.b.Context(), address, 2*acceptConnection)
	require.NoError(s.b, err)
	defer driver.Close()
	count, err := driver.At(s.b.Context(), requests, rate)
	require.NoError(s.b, err)
	require.NoError(s.b, count.Only(status))
	return count
}

// alone measures one buyer after the other on an idle engine, alternately with the parts of every purchase: a round
// trip to Redis and an acknowledgement of Kafka, requested as the gateway does. They alternate, because a server
// answers faster when it is asked without a pause than after a pause.
func (s *stack) alone() []*Figure {
	s.warm("rush")
	s.setRules()
	added := &Figure{Name: "one buyer alone: purchase beyond Redis and Kafka, p50", Unit: "ms", Target: 0.3}
	names := []string{"  purchase", "  Redis round trip (PING)", "  Kafka acknowledgement"}
	figures := []*Figure{added}
	for _, name := range names {
		figures = append(figures, &Figure{Name: name, Unit: "ms"})
	}
	s.createTopic(ackTopic, 1)
	ping, hangUp := s.pinger()
	defer hangUp()
	produce, end := s.loneProducer()
	defer end()
	for range repetitions {
		requests := s.presses("rush", alonePresses)
		s.drained()
		press, leave := s.lonePresser(requests)
		took := s.inTurns(press, ping, produce)
		leave()
		for i, p50 := range took {
			figures[1+i].Ours = append(figures[1+i].Ours, milliseconds(p50))
		}
		added.Ours = append(added.Ours, milliseconds(took[0]-took[1]-took[2]))
	}
	return figures
}

// inTurns runs the steps alternately alonePresses times and returns the median time of each step.
func (s *stack) inTurns(steps ...func() error) []time.Duration {
	s.b.Helper()
	times := make([][]time.Duration, len(steps))
	for range alonePresses {
		for i, step := range steps {
			began := time.Now()
			require.NoError(s.b, step())
			times[i] = append(times[i], time.Since(began))
		}
	}
	medians := make([]time.Duration, len(steps))
	for i := range times {
		slices.Sort(times[i])
		medians[i] = times[i][len(times[i])/2]
	}
	return medians
}

// lonePresser sends one press after the other on one connection.
func (s *stack) lonePresser(requests *Requests) (press func() error, leave func()) {
	s.b.Helper()
	server, err := client.ParseServer("http://" + s.gateway.Listen)
	require.NoError(s.b, err)
	conn := client.NewConn(server)
	require.NoError(s.b, conn.Dial(s.b.Context()))
	var response client.Response
	n := 0
	return func() error {
		n++
		err := conn.Do(s.b.Context(), requests.At(n-1), time.Now().Add(answerTimeout), &response)
		if err == nil && response.Status != 202 {
			err = fmt.Errorf("press %d was answered %d", n, response.Status)
		}
		return err
	}, conn.Close
}

func milliseconds(d time.Duration) float64 { return d.Seconds() * 1000 }

// pinger makes round trips to Redis on one connection.
func (s *stack) pinger() (ping func() error, hangUp func()) {
	s.b.Helper()
	conn, err := net.Dial("tcp", s.Redis[0].Addr)
	require.NoError(s.b, err)
	in := bufio.NewReader(conn)
	return func() error {
		if _, err := conn.Write([]byte("PING\r\n")); err != nil {
			return err
		}
		_, err := in.ReadString('\n')
		return err
	}, func() { _ = conn.Close() } // no request is pending on it
}

// loneProducer lets Kafka acknowledge one record after the other, through the library that the gateway uses.
func (s *stack) loneProducer() (produce func() error, end func()) {
	s.b.Helper()
	config := sarama.NewConfig()
	config.Version, config.Net.MaxOpenRequests = sarama.V2_8_0_0, 1
	config.Producer.RequiredAcks, config.Producer.Idempotent = sarama.WaitForAll, true
	config.Producer.Return.Successes = true
	producer, err := sarama.NewSyncProducer(s.Kafka.Brokers, config)
	require.NoError(s.b, err)
	value := sarama.ByteEncoder(make([]byte, ackBytes))
	return func() error {
		_, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: ackTopic, Value: value})
		return err
	}, func() { require.NoError(s.b, producer.Close()) }
}
