package tracing

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Variables of the OpenTelemetry specification that this package reads itself. The exporters read those of the connection
// (headers, certificates, compression, timeout) and the library those of limits, batches and resource.
const (
	varDisabled       = "OTEL_SDK_DISABLED"
	varPropagators    = "OTEL_PROPAGATORS"
	varExporter       = "OTEL_TRACES_EXPORTER"
	varEndpoint       = "OTEL_EXPORTER_OTLP_ENDPOINT"
	varTracesEndpoint = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	varProtocol       = "OTEL_EXPORTER_OTLP_PROTOCOL"
	varTracesProtocol = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"
	varSampler        = "OTEL_TRACES_SAMPLER"
	varSamplerShare   = "OTEL_TRACES_SAMPLER_ARG"
	varInsecure       = "OTEL_EXPORTER_OTLP_INSECURE"
	varTracesInsecure = "OTEL_EXPORTER_OTLP_TRACES_INSECURE"
	varCompression    = "OTEL_EXPORTER_OTLP_COMPRESSION"
	varTracesCompress = "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION"
)

// prefixes are the beginnings of the variables of the connection. The library goes on without a file or a header that it cannot
// read.
var prefixes = []string{"OTEL_EXPORTER_OTLP_TRACES_", "OTEL_EXPORTER_OTLP_"}

// numbers are the variables that hold whole numbers: milliseconds, or counts of spans.
var numbers = []string{
	"OTEL_EXPORTER_OTLP_TIMEOUT", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_BSP_SCHEDULE_DELAY", "OTEL_BSP_EXPORT_TIMEOUT",
	varQueue, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
}

// limits are the variables that bound what a span holds; a negative number is no bound.
var limits = []string{
	"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT", "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT",
	"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "OTEL_SPAN_EVENT_COUNT_LIMIT", "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT",
	"OTEL_SPAN_LINK_COUNT_LIMIT", "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT",
}

const (
	protocolHTTP = "http/protobuf"
	protocolGRPC = "grpc"
)

// setup is what the environment asks for.
type setup struct {
	protocol    string
	named       string  // the collector's address in a variable; "": none has it
	endpoint    string  // of the collector; "": a variable has it
	share       float64 // of the traces that begin here
	parentBased bool    // whether a trusted parent decides instead
}

// readSetup returns nil when tracing is off. The library takes a wrong value for its default and samples everything or sends
// elsewhere, so readSetup refuses each with the variable's name.
func readSetup() (*setup, error) {
	var faults []error
	variable := func(names ...string) (name, value string) {
		for _, name = range names {
			if value = strings.TrimSpace(os.Getenv(name)); value != "" {
				return name, value
			}
		}
		return names[len(names)-1], ""
	}
	refuse := func(name, value, want string) {
		faults = append(faults, fmt.Errorf("%s: %q is not %s", name, value, want))
	}
	switch _, disabled := variable(varDisabled); {
	case strings.EqualFold(disabled, "true"):
		return nil, nil
	case disabled != "" && !strings.EqualFold(disabled, "false"):
		refuse(varDisabled, disabled, "true or false")
	}
	_, endpoint := variable(varTracesEndpoint, varEndpoint)
	switch name, exporter := variable(varExporter); {
	case exporter == "none", exporter == "" && endpoint == "":
		return nil, errors.Join(faults...)
	case exporter != "" && exporter != "otlp":
		refuse(name, exporter, "otlp or none")
	}
	for _, name := range []string{varTracesEndpoint, varEndpoint} {
		if _, value := variable(name); value != "" {
			faults = append(faults, checkEndpoint(name, value))
		}
	}
	s := &setup{protocol: protocolHTTP, named: endpoint}
	if name, value := variable(varTracesProtocol, varProtocol); value != "" {
		if s.protocol = value; value != protocolHTTP && value != protocolGRPC {
			refuse(name, value, protocolHTTP+" or "+protocolGRPC)
		}
	}
	if endpoint == "" {
		s.endpoint = defaultEndpoints[s.protocol]
	}
	for _, name := range []string{varTracesInsecure, varInsecure} {
		if _, value := variable(name); value != "" && !strings.EqualFold(value, "true") && !strings.EqualFold(value, "false") {
			refuse(name, value, "true or false")
		}
	}
	if name, value := variable(varTracesCompress, varCompression); value != "" && value != "gzip" && value != "none" {
		refuse(name, value, "gzip or none")
	}
	faults = append(faults, checkNumbers(numbers, 1, "a whole number from 1"), checkNumbers(limits, -1<<30, "a whole number"))
	for _, prefix := range prefixes {
		faults = append(faults, checkFiles(prefix), checkHeaders(prefix+"HEADERS"))
	}
	faults = append(faults, checkPropagators(), s.readSampler(variable))
	return s, errors.Join(faults...)
}

// checkPropagators refuses headers of other kinds: processes read and write traceparent. Baggage is neither read nor passed on.
func checkPropagators() error {
	text := os.Getenv(varPropagators)
	for name := range strings.SplitSeq(text, ",") {
		if name = strings.TrimSpace(name); name != "" && name != "tracecontext" && name != "baggage" {
			return fmt.Errorf("%s: %q is not tracecontext", varPropagators, name)
		}
	}
	return nil
}

// checkNumbers reads the variables as the library does, which allows no spaces.
func checkNumbers(names []string, least int, want string) error {
	var faults []error
	for _, name := range names {
		value := os.Getenv(name)
		if n, err := strconv.Atoi(value); value != "" && (err != nil || n < least || n > 1<<30) {
			faults = append(faults, fmt.Errorf("%s: %q is not %s%s", name, value, want, unitOf(name)))
		}
	}
	return errors.Join(faults...)
}

// unitOf returns the unit of a variable that holds a whole number, for its message.
func unitOf(name string) string {
	if strings.HasSuffix(name, "_TIMEOUT") || strings.HasSuffix(name, "_DELAY") {
		return ", in milliseconds"
	}
	return ""
}

// formOfHeader is the form of a header in the variables of headers: a token of RFC 9110, and a value that may be percent-encoded
// and has no control characters, with which no request could be sent.
var formOfHeader = regexp.MustCompile("^\\s*[!#$%&'*+.^_`|~0-9A-Za-z-]+\\s*=" +
	"(?:[^%[:cntrl:]]|%(?:[2-689A-Fa-f][0-9A-Fa-f]|7[0-9A-Ea-e]))*$")

// checkHeaders checks the headers of requests to the collector. The library leaves out one that it cannot read, and the
// collector then refuses every span. The error counts the header and does not show it, because a header holds a secret.
func checkHeaders(name string) error {
	text := strings.TrimSpace(os.Getenv(name))
	if text == "" {
		return nil
	}
	for i, header := range strings.Split(text, ",") {
		if !formOfHeader.MatchString(header) {
			return fmt.Errorf("%s: header %d is not name=value, such as authorization=Bearer%%20TOKEN", name, i+1)
		}
	}
	return nil
}

// checkFiles checks the certificates of the collector's authority and of this process.
func checkFiles(prefix string) error {
	var faults []error
	for _, part := range []string{"CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY"} {
		path := os.Getenv(prefix + part)
		if info, err := os.Stat(path); path != "" && err == nil && !info.Mode().IsRegular() { // a pipe would be waited for
			return fmt.Errorf("%s: %s is not a regular file", prefix+part, path)
		}
	}
	if name := prefix + "CERTIFICATE"; os.Getenv(name) != "" {
		text, err := os.ReadFile(os.Getenv(name))
		if err == nil && !x509.NewCertPool().AppendCertsFromPEM(text) {
			err = fmt.Errorf("%s has no certificate in PEM form", os.Getenv(name))
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", name, err))
		}
	}
	certificate, key := os.Getenv(prefix+"CLIENT_CERTIFICATE"), os.Getenv(prefix+"CLIENT_KEY")
	if certificate != "" || key != "" {
		if _, err := tls.LoadX509KeyPair(certificate, key); err != nil {
			faults = append(faults, fmt.Errorf("%sCLIENT_CERTIFICATE and %sCLIENT_KEY: %w", prefix, prefix, err))
		}
	}
	return errors.Join(faults...)
}

// checkEndpoint checks the address of a collector. The library leaves out a user and a password, and the collector then refuses
// every span. The error does not show the value, because it may hold a password.
func checkEndpoint(name, value string) error {
	at, err := url.Parse(value)
	switch {
	case err != nil || at.Scheme != "http" && at.Scheme != "https" || at.Host == "":
		return fmt.Errorf("%s: is not a URL with http or https, such as http://127.0.0.1:4318", name)
	case !portInRange(at.Port()):
		return fmt.Errorf("%s: has the port %s, and ports end at 65535", name, at.Port())
	case at.RawQuery != "" || at.Fragment != "":
		return fmt.Errorf("%s: has a query or a fragment, which is not sent", name)
	case at.User != nil:
		return fmt.Errorf("%s: has a user, which is not sent; use OTEL_EXPORTER_OTLP_HEADERS=authorization=Basic%%20…", name)
	}
	return nil
}

// portInRange reports whether a port of digits is one, or is absent.
func portInRange(port string) bool {
	number, err := strconv.Atoi(port)
	return port == "" || err == nil && number > 0 && number <= math.MaxUint16
}

// samplers are the names of samplers, without the prefix of those that a parent overrules.
var samplers = []string{"always_on", "always_off", "traceidratio"}

const parentBasedPrefix = "parentbased_"

// readSampler reads the sampler and its share. Without one every trace is sampled, as the specification says.
func (s *setup) readSampler(variable func(...string) (string, string)) error {
	name, value := variable(varSampler)
	if value == "" {
		if share, text := variable(varSamplerShare); text != "" {
			return fmt.Errorf("%s: has no effect, and every trace is sampled, unless %s is traceidratio or %straceidratio",
				share, name, parentBasedPrefix)
		}
		value = parentBasedPrefix + "always_on"
	}
	kind, parentBased := strings.CutPrefix(value, parentBasedPrefix)
	if !slices.Contains(samplers, kind) {
		return fmt.Errorf("%s: %q is not one of %s, or one of them with %s before it", name, value, strings.Join(samplers, ", "),
			parentBasedPrefix)
	}
	s.parentBased = parentBased
	switch kind {
	case "always_on":
		s.share = 1
	case "traceidratio":
		name, text := variable(varSamplerShare)
		if text == "" {
			s.share = 1
			return nil
		}
		share, err := strconv.ParseFloat(text, 64)
		if err != nil || !(share >= 0 && share <= 1) {
			return fmt.Errorf("%s: %q is not a number from 0 to 1, such as 0.01 for one trace in a hundred", name, text)
		}
		s.share = share
	}
	return nil
}
