package gateway

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/valyala/fasthttp"

	"flashsale/sale"
)

// The comparison runs its crowd in a process of its own, so that the CPU time of this process is the server's alone.
const (
	crowdAddress = "GATEWAY_CROWD_ADDRESS"
	crowdPresses = "GATEWAY_CROWD_PRESSES"
	crowdBuyers  = "GATEWAY_CROWD_BUYERS"
	crowdSize    = 64 // connections
)

func TestMain(m *testing.M) {
	if address := os.Getenv(crowdAddress); address != "" {
		if err := crowd(address); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// crowd presses Buy over and over on every connection.
func crowd(address string) error {
	presses, err := strconv.Atoi(os.Getenv(crowdPresses))
	if err != nil {
		return err
	}
	buyers, err := strconv.Atoi(os.Getenv(crowdBuyers))
	if err != nil {
		return err
	}
	requests := make([][]byte, buyers)
	for i := range requests {
		requests[i] = fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: app/1.0\r\n%s\r\n"+
			"Content-Type: application/json\r\nContent-Length: 14\r\n\r\n{\"quantity\":1}", phoneOrders,
			bearer("buyer-"+strconv.Itoa(i)))
	}
	var all sync.WaitGroup
	faults := make(chan error, crowdSize)
	for c := range crowdSize {
		all.Go(func() { faults <- pressAll(address, requests, c, presses/crowdSize) })
	}
	all.Wait()
	for range crowdSize {
		if err := <-faults; err != nil {
			return err
		}
	}
	return nil
}

func pressAll(address string, requests [][]byte, first, presses int) error {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	reader := bufio.NewReader(conn)
	var answer fasthttp.Response
	for i := range presses {
		if _, err := conn.Write(requests[(first+i*crowdSize)%len(requests)]); err != nil {
			return err
		}
		if err := answer.Read(reader); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
	}
	return nil
}

// BenchmarkAgainstBare compares the CPU time of a press with that of a bare fasthttp handler which receives the same
// requests and answers the same number of bytes.
func BenchmarkAgainstBare(b *testing.B) {
	soldOut := func(s *scene) { latchOf(s, "bob") }
	instant := func(s *scene) { s.gateway.stock = instantStock{s.stock} }
	for _, c := range []struct {
		name    string
		buyers  int
		arrange func(*scene)
	}{
		{"sold_out", 1, soldOut}, {"sold_out_token_of_its_own", 1 << 16, soldOut}, {"accept_token_of_its_own", 1 << 18, instant},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := newScene(b).open(autumn())
			c.arrange(s)
			like := s.send("POST", phoneOrders, `{"quantity":1}`, bearer("buyer-0"))
			bare := bareServer(b, like)
			const presses = 100_000
			var gateway, empty time.Duration
			for b.Loop() {
				empty += cpuOf(b, bare, presses, c.buyers)
				gateway += cpuOf(b, s.address, presses, c.buyers)
			}
			perPress := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 / float64(presses*b.N) }
			b.ReportMetric(perPress(gateway), "cpu-us/press")
			b.ReportMetric(perPress(empty), "cpu-us/bare")
			b.ReportMetric(float64(gateway)/float64(empty), "times-bare")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func bareServer(b *testing.B, like response) string {
	b.Helper()
	body := []byte(like.body)
	server := &fasthttp.Server{
		NoDefaultServerHeader: true,
		Handler: func(ctx *fasthttp.RequestCtx) {
			ctx.SetStatusCode(like.status)
			ctx.Response.Header.SetContentType(sale.ProblemType)
			ctx.Response.SetBodyRaw(body)
		},
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	go func() { _ = server.Serve(listener) }() // ends with Shutdown
	b.Cleanup(func() { require.NoError(b, server.Shutdown()) })
	return listener.Addr().String()
}

// cpuOf returns the CPU time that this process spends while a crowd presses.
func cpuOf(b *testing.B, address string, presses, buyers int) time.Duration {
	b.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), crowdAddress+"="+address, crowdPresses+"="+strconv.Itoa(presses),
		crowdBuyers+"="+strconv.Itoa(buyers))
	before := cpuNow(b)
	out, err := child.CombinedOutput()
	require.NoError(b, err, string(out))
	return cpuNow(b) - before
}

func cpuNow(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
