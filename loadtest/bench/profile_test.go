package bench

import (
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	deployed "flashsale/test/stack"
)

// into names the folder that BenchmarkProfile writes to.
var into = flag.String("into", "", "folder for the profiles of BenchmarkProfile")

// profileSeconds is how long a rush is profiled.
const profileSeconds = 10

// BenchmarkProfile writes CPU and allocation profiles of gateway and settle during a rush. It measures nothing else,
// because profiling has a cost of its own.
func BenchmarkProfile(b *testing.B) {
	require.NotEmpty(b, *into, "-into names no folder")
	require.NoError(b, os.MkdirAll(*into, 0o755))
	s := newStack(b, deployment{})
	s.openUsual()
	s.setRules()
	s.warm("rush")
	orders := int(s.greatestRate() * profileSeconds / 2) // tokens are made before, and made again only when these run out
	requests := s.presses("rush", orders)
	var over atomic.Bool
	var taking sync.WaitGroup
	for name, address := range map[string]string{"gateway": s.gateway.Operators, "settle": s.settle.Listen} {
		taking.Go(func() {
			defer over.Store(true)
			pages, file := "http://"+address+"/debug/pprof/", filepath.Join(*into, name)
			if err := download(fmt.Sprint(pages, "profile?seconds=", profileSeconds), file+"-cpu.pprof"); err != nil {
				b.Error(err)
			}
			if err := download(pages+"allocs", file+"-allocs.pprof"); err != nil {
				b.Error(err)
			}
		})
	}
	for !over.Load() {
		s.take(requests, nil)
		requests = s.presses("rush", orders)
	}
	taking.Wait()
	say("go tool pprof -top %s", filepath.Join(*into, "gateway-cpu.pprof"))
}

// download writes the answer of an operators' page into a file.
func download(url, file string) error {
	request, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+deployed.AdminToken)
	client := http.Client{Timeout: time.Minute}
	defer client.CloseIdleConnections()
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	page, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", url, response.Status, page)
	}
	return os.WriteFile(file, page, 0o644)
}
