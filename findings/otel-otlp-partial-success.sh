#!/usr/bin/env bash
# OpenTelemetry for Go 1.47.0: a collector that has taken every span, with a remark, makes the export fail.
#
# An OTLP answer may have partial_success with rejected_spans 0 and a message: the specification (OTLP 1.11, "Partial Success")
# calls this a warning about a request that was fully accepted. The exporter returns it as an error, as it does for spans that
# were rejected, and the error's type is internal: a program that counts failed exports counts spans as lost that are stored, and
# can tell the cases apart only by the text.
source "$(dirname "$0")/lib.sh"
go_program go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp@v1.47.0 go.opentelemetry.io/otel/sdk@v1.47.0 \
	go.opentelemetry.io/proto/otlp@v1.11.0 <<'GO'
package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	collect "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"
)

type recorder struct{ spans []sdktrace.ReadOnlySpan }

func (r *recorder) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (r *recorder) OnEnd(s sdktrace.ReadOnlySpan)                   { r.spans = append(r.spans, s) }
func (r *recorder) Shutdown(context.Context) error                  { return nil }
func (r *recorder) ForceFlush(context.Context) error                { return nil }

// export sends one span to a collector that answers 200 with a partial success, or without one for nil.
func export(says *collect.ExportTracePartialSuccess) error {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, err := proto.Marshal(&collect.ExportTraceServiceResponse{PartialSuccess: says})
		if err != nil {
			panic(err)
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
		_, _ = w.Write(text)
	}))
	defer server.Close()
	ctx, spans := context.Background(), &recorder{}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(server.URL))
	if err != nil {
		panic(err)
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	_, span := provider.Tracer("t").Start(ctx, "s")
	span.End()
	return exporter.ExportSpans(ctx, spans.spans)
}

func main() {
	fmt.Println("plain", export(nil) != nil)
	remark := export(&collect.ExportTracePartialSuccess{ErrorMessage: "all taken, please use a newer version"})
	fmt.Println("remark", remark != nil, remark != nil && strings.HasSuffix(remark.Error(), "(0 spans rejected)"))
	fmt.Println("rejected", export(&collect.ExportTracePartialSuccess{RejectedSpans: 1, ErrorMessage: "too old"}) != nil)
}
GO
"$FOLDER/program" >"$FOLDER/said" 2>"$FOLDER/err" || cannot "$(head -3 "$FOLDER/err")"
said() { sed -n "s/^$1 //p" "$FOLDER/said"; }
still "the export fails when the collector says nothing" "$(said plain)" "false"
still "the export fails when no span was rejected and there is a message; its text ends with (0 spans rejected)" \
	"$(said remark)" "true true"
still "the export fails when a span was rejected" "$(said rejected)" "true"
