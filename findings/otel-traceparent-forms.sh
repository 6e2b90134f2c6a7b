#!/usr/bin/env bash
# OpenTelemetry for Go 1.47.0: its reader of `traceparent` takes a value that the specification forbids, and refuses one that the
# specification allows.
#
# W3C Trace Context says that a value of version 00 has exactly 55 characters, and that a receiver sets the flags which it does
# not know to zero when it passes the value on; it does not let a receiver refuse them (sections 3.2.2 and 3.2.2.5). The
# propagator splits at dashes, so a dash at the end leaves an empty rest and passes, while any flag above 03 ends the caller's
# trace. Of a later version both are as the specification says.
source "$(dirname "$0")/lib.sh"
go_program go.opentelemetry.io/otel@v1.47.0 <<'GO'
package main

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

const start = "-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-"

func main() {
	for name, value := range map[string]string{
		"plain": "00" + start + "01", "dash": "00" + start + "01-", "rest": "00" + start + "01-x",
		"flag4": "00" + start + "05", "later": "01" + start + "05-x",
	} {
		ctx := propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{"traceparent": value})
		fmt.Println(name, trace.SpanContextFromContext(ctx).IsValid())
	}
}
GO
"$FOLDER/program" >"$FOLDER/said" 2>"$FOLDER/err" || cannot "$(head -3 "$FOLDER/err")"
said() { sed -n "s/^$1 //p" "$FOLDER/said"; }
still "a value of version 00 with the flag 01 is read" "$(said plain)" "true"
still "the same with a dash at its end, 56 characters, is read" "$(said dash)" "true"
still "the same with a dash and more at its end is read" "$(said rest)" "false"
still "a value of version 00 with a flag that is not defined (05) is read" "$(said flag4)" "false"
still "a value of version 01 with that flag and more at its end is read" "$(said later)" "true"
