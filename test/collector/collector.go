// Package collector is a collector of traces for tests: it takes OTLP over HTTP and over gRPC, and keeps the spans.
package collector

import (
	"context"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	collect "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// Span is a span as it arrived.
type Span struct {
	*tracepb.Span
	Service string
}

// Trace returns the id of the span's trace in hexadecimal digits.
func (s Span) Trace() string { return hex.EncodeToString(s.TraceId) }

// Under reports whether the span is a child of another one.
func (s Span) Under(parent Span) bool {
	return s.Trace() == parent.Trace() && string(s.ParentSpanId) == string(parent.SpanId)
}

// LinksTo reports whether the span has a link to another one.
func (s Span) LinksTo(other Span) bool {
	return slices.ContainsFunc(s.Links, func(l *tracepb.Span_Link) bool {
		return string(l.SpanId) == string(other.SpanId) && string(l.TraceId) == string(other.TraceId)
	})
}

// Attribute returns the text or the number of an attribute, nil when there is none.
func (s Span) Attribute(key string) any { return attributeOf(s.Attributes, key) }

func attributeOf(attributes []*common.KeyValue, key string) any {
	for _, a := range attributes {
		if a.Key != key {
			continue
		}
		switch v := a.Value.Value.(type) {
		case *common.AnyValue_StringValue:
			return v.StringValue
		case *common.AnyValue_IntValue:
			return v.IntValue
		}
	}
	return nil
}

// Collector is a collector that listens on a free port.
type Collector struct {
	collect.UnimplementedTraceServiceServer
	URL string // for OTEL_EXPORTER_OTLP_ENDPOINT

	Refuse atomic.Bool  // answers that the request is wrong, which no exporter repeats
	Delay  atomic.Int64 // nanoseconds before each answer

	mu    sync.Mutex
	spans []Span
	ended chan struct{}
}

// HTTP starts a collector of http/protobuf.
func HTTP(t testing.TB) *Collector {
	t.Helper()
	c := &Collector{ended: make(chan struct{})}
	server := httptest.NewServer(http.HandlerFunc(c.serve))
	c.URL = server.URL
	t.Cleanup(func() { close(c.ended); server.Close() })
	return c
}

// GRPC starts a collector of grpc.
func GRPC(t testing.TB) *Collector {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &Collector{URL: "http://" + listener.Addr().String(), ended: make(chan struct{})}
	server := grpc.NewServer()
	collect.RegisterTraceServiceServer(server, c)
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	t.Cleanup(func() {
		close(c.ended)
		server.Stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return c
}

// Spans returns what has arrived.
func (c *Collector) Spans() []Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.spans)
}

// Named returns the spans of a name.
func (c *Collector) Named(name string) []Span {
	return slices.DeleteFunc(c.Spans(), func(s Span) bool { return s.Name != name })
}

// Export takes the spans of one call by gRPC.
func (c *Collector) Export(_ context.Context, request *collect.ExportTraceServiceRequest,
) (*collect.ExportTraceServiceResponse, error) {
	if !c.take(request) {
		return nil, status.Error(codes.InvalidArgument, "refused")
	}
	return &collect.ExportTraceServiceResponse{}, nil
}

const maxBody = 16 << 20

func (c *Collector) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	var request collect.ExportTraceServiceRequest
	if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(body, &request) != nil || !c.take(&request) {
		http.Error(w, "refused", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

// take keeps the spans of a request, and reports whether it was taken.
func (c *Collector) take(request *collect.ExportTraceServiceRequest) bool {
	if delay := time.Duration(c.Delay.Load()); delay > 0 {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-c.ended:
		}
	}
	if c.Refuse.Load() {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, of := range request.ResourceSpans {
		service, _ := attributeOf(of.Resource.Attributes, "service.name").(string)
		for _, scope := range of.ScopeSpans {
			for _, span := range scope.Spans {
				c.spans = append(c.spans, Span{Span: span, Service: service})
			}
		}
	}
	return true
}
