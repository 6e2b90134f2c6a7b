package tracing_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/tracing"
)

const (
	endpoint       = "OTEL_EXPORTER_OTLP_ENDPOINT"
	tracesEndpoint = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	sampler        = "OTEL_TRACES_SAMPLER"
	headers        = "OTEL_EXPORTER_OTLP_HEADERS"
)

// set sets the variables of a case, and one that turns tracing on where the case does not.
func set(t *testing.T, variables map[string]string) {
	t.Helper()
	t.Setenv(endpoint, "http://127.0.0.1:4318")
	for name, value := range variables {
		t.Setenv(name, value)
	}
}

func TestWhatTurnsTracingOn(t *testing.T) {
	for name, c := range map[string]struct {
		variables map[string]string
		on        bool
	}{
		"an endpoint":                  {nil, true},
		"an endpoint of traces":        {map[string]string{endpoint: "", tracesEndpoint: "http://127.0.0.1:1/x"}, true},
		"the exporter's name":          {map[string]string{endpoint: "", "OTEL_TRACES_EXPORTER": "otlp"}, true},
		"nothing":                      {map[string]string{endpoint: ""}, false},
		"spaces":                       {map[string]string{endpoint: "  "}, false},
		"an endpoint without exporter": {map[string]string{"OTEL_TRACES_EXPORTER": "none"}, false},
		"a disabled SDK":               {map[string]string{"OTEL_SDK_DISABLED": "TRUE"}, false},
		"the usual propagators":        {map[string]string{"OTEL_PROPAGATORS": "tracecontext, baggage"}, true},
		"an SDK that is not disabled":  {map[string]string{"OTEL_SDK_DISABLED": "False"}, true},
		"grpc":                         {map[string]string{"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, true},
		"headers":                      {map[string]string{headers: "authorization=Basic%20YTpi==, a-b = c"}, true},
		"no bound of attributes":       {map[string]string{"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "-1"}, true},
		"a share":                      {map[string]string{sampler: "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "1e-3"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			set(t, c.variables)
			tracer, err := tracing.Open(tracing.Options{Process: "gateway"})
			require.NoError(t, err)
			require.Equal(t, c.on, tracer != nil)
			tracer.Close()
		})
	}
}

// TestWrongVariablesAreRefused: the library would take a default for each, and a wrong share samples every trace.
func TestWrongVariablesAreRefused(t *testing.T) {
	for name, c := range map[string]struct{ variable, value, says string }{
		"share in percent":   {"OTEL_TRACES_SAMPLER_ARG", "1%", "not a number from 0 to 1"},
		"share with a comma": {"OTEL_TRACES_SAMPLER_ARG", "0,01", "not a number from 0 to 1"},
		"share of a word":    {"OTEL_TRACES_SAMPLER_ARG", "some", "not a number from 0 to 1"},
		"share above 1":      {"OTEL_TRACES_SAMPLER_ARG", "1.5", "not a number from 0 to 1"},
		"share below 0":      {"OTEL_TRACES_SAMPLER_ARG", "-0.1", "not a number from 0 to 1"},
		"share of no number": {"OTEL_TRACES_SAMPLER_ARG", "NaN", "not a number from 0 to 1"},
		"sampler":            {"OTEL_TRACES_SAMPLER", "ratio", "is not one of always_on"},
		"remote sampler":     {"OTEL_TRACES_SAMPLER", "jaeger_remote", "is not one of always_on"},
		"exporter":           {"OTEL_TRACES_EXPORTER", "zipkin", "is not otlp or none"},
		"protocol":           {"OTEL_EXPORTER_OTLP_PROTOCOL", "http/json", "is not http/protobuf or grpc"},
		"endpoint":           {endpoint, "127.0.0.1:4318", "is not a URL"},
		"endpoint's secret":  {endpoint, "collector:secret@host", "is not a URL"},
		"endpoint's user":    {endpoint, "https://user:secret@collector", "has a user, which is not sent"},
		"endpoint's port":    {endpoint, "http://127.0.0.1:99999", "has the port 99999"},
		"endpoint's query":   {endpoint, "http://127.0.0.1:4318/?a=b", "has a query or a fragment"},
		"key in a folder":    {"OTEL_EXPORTER_OTLP_CLIENT_KEY", "/dev/null", "is not a regular file"},
		"disabled":           {"OTEL_SDK_DISABLED", "yes", "is not true or false"},
		"propagators":        {"OTEL_PROPAGATORS", "baggage,b3", `"b3" is not tracecontext`},
		"endpoint of traces": {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "collector", "is not a URL"},
		"insecure":           {"OTEL_EXPORTER_OTLP_INSECURE", "yes", "is not true or false"},
		"compression":        {"OTEL_EXPORTER_OTLP_COMPRESSION", "zstd", "is not gzip or none"},
		"timeout":            {"OTEL_EXPORTER_OTLP_TIMEOUT", "10s", "is not a whole number"},
		"queue":              {"OTEL_BSP_MAX_QUEUE_SIZE", "0", "is not a whole number"},
		"certificate":        {"OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere/ca.pem", "no such file"},
		"no certificate":     {"OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "environ_test.go", "has no certificate"},
		"queue with a space": {"OTEL_BSP_MAX_QUEUE_SIZE", "100 ", "is not a whole number"},
		"links":              {"OTEL_SPAN_LINK_COUNT_LIMIT", "many", "is not a whole number"},
		"length of a value":  {"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "1k", "is not a whole number"},
		"header's line":      {headers, "a=b%0Ac", "header 1 is not name=value"},
		"delay":              {"OTEL_BSP_SCHEDULE_DELAY", "5s", "is not a whole number from 1, in milliseconds"},
		"header":             {headers, "a=b,secret", "header 2 is not name=value"},
		"header's name":      {headers, "a b=c", "header 1 is not name=value"},
		"header's escape":    {"OTEL_EXPORTER_OTLP_TRACES_HEADERS", "a=1%", "header 1 is not name=value"},
		"resource":           {"OTEL_RESOURCE_ATTRIBUTES", "a", "missing value"},
	} {
		t.Run(name, func(t *testing.T) {
			set(t, map[string]string{"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", c.variable: c.value})
			_, err := tracing.Open(tracing.Options{Process: "gateway"})
			require.ErrorContains(t, err, c.variable+": ")
			require.ErrorContains(t, err, c.says)
			require.NotContains(t, err.Error(), "secret")
		})
	}
}

// TestAShareWithoutItsSamplerIsRefused: the specification ignores it, and every trace would be sampled.
func TestAShareWithoutItsSamplerIsRefused(t *testing.T) {
	set(t, map[string]string{sampler: "", "OTEL_TRACES_SAMPLER_ARG": "0.01"})
	_, err := tracing.Open(tracing.Options{Process: "gateway"})
	require.ErrorContains(t, err, "OTEL_TRACES_SAMPLER_ARG: has no effect")
}

func TestEveryWrongVariableIsNamed(t *testing.T) {
	set(t, map[string]string{
		"OTEL_TRACES_SAMPLER": "none", "OTEL_EXPORTER_OTLP_PROTOCOL": "json",
		"OTEL_EXPORTER_OTLP_CLIENT_KEY": filepath.Join(t.TempDir(), "key.pem"),
	})
	_, err := tracing.Open(tracing.Options{Process: "gateway"})
	for _, name := range []string{"OTEL_TRACES_SAMPLER", "OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_CLIENT_KEY"} {
		require.ErrorContains(t, err, name)
	}
}
