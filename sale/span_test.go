package sale_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"pgregory.net/rapid"

	"flashsale/sale"
)

const goodParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

func TestTraceparentOfASampledCaller(t *testing.T) {
	of, sampled, ok := sale.ParseTraceparent([]byte(goodParent))
	require.True(t, ok)
	require.True(t, sampled)
	require.Equal(t, "4bf92f3577b34da6a3ce929d0e0e4736", of.Trace())
	require.Equal(t, goodParent, of.Header())
	require.Empty(t, sale.SpanContext{}.Trace())
}

// TestTraceparentsAreReadAsTheLibraryReadsThem draws 5,000 forms: good ones, good ones with a byte changed, cut off or with
// something added, and any text. The library differs from the specification in two of them (docs/compatibility.md).
func TestTraceparentsAreReadAsTheLibraryReadsThem(t *testing.T) {
	parts := rapid.Custom(func(t *rapid.T) string {
		digits := func(n int) string {
			return rapid.StringOfN(rapid.SampledFrom([]rune("0123456789abcdef")), n, n, -1).Draw(t, "digits")
		}
		version := rapid.SampledFrom([]string{"00", "00", "00", "01", "cc", "ff", "FF"}).Draw(t, "version")
		traceID := rapid.SampledFrom([]string{
			digits(32), digits(32), strings.Repeat("0", 32), strings.ToUpper(digits(32)), digits(31),
		}).Draw(t, "trace")
		spanID := rapid.SampledFrom([]string{digits(16), digits(16), strings.Repeat("0", 16), digits(17)}).Draw(t, "span")
		flags := rapid.SampledFrom([]string{"00", "01", "02", "03", "ff", "0x", "1"}).Draw(t, "flags")
		tail := rapid.SampledFrom([]string{"", "", "", "-", "-more", "more", " "}).Draw(t, "tail")
		return version + "-" + traceID + "-" + spanID + "-" + flags + tail
	})
	forms := rapid.OneOf(parts, rapid.String(), rapid.Custom(func(t *rapid.T) string {
		text := []byte(goodParent)
		at := rapid.IntRange(0, len(text)-1).Draw(t, "at")
		text[at] = rapid.Byte().Draw(t, "byte")
		return string(text[:rapid.IntRange(0, len(text)).Draw(t, "length")])
	}))
	good := 0
	for seed := range 5000 {
		text := forms.Example(seed)
		of, sampled, ok := sale.ParseTraceparent([]byte(text))
		theirs := trace.SpanContextFromContext(propagation.TraceContext{}.Extract(t.Context(),
			propagation.MapCarrier{sale.Traceparent: text}))
		switch {
		case len(text) == 56 && text[55] == '-' && text[:2] == "00":
			require.False(t, ok, "%q: a value of version 00 has 55 bytes", text)
		case ok && text[:2] == "00" && text[53:55] > "03":
			require.False(t, theirs.IsValid(), "%q: the library refuses flags that version 00 leaves open", text)
			continue
		default:
			require.Equal(t, theirs.IsValid(), ok, "%q", text)
		}
		if !ok {
			require.Zero(t, of, "%q", text)
			continue
		}
		good++
		require.Equal(t, [16]byte(theirs.TraceID()), of.TraceID, "%q", text)
		require.Equal(t, [8]byte(theirs.SpanID()), of.SpanID, "%q", text)
		require.Equal(t, theirs.IsSampled(), sampled, "%q", text)
	}
	require.Greater(t, good, 100, "the forms are not all malformed")
}

func FuzzTraceparent(f *testing.F) {
	f.Add([]byte(goodParent))
	f.Fuzz(func(t *testing.T, value []byte) {
		of, sampled, ok := sale.ParseTraceparent(value)
		if ok && bytes.HasPrefix(value, []byte("00-")) && sampled && string(value[53:55]) == "01" {
			require.Equal(t, string(value), of.Header())
		}
	})
}

func TestTraceparentDoesNotAllocate(t *testing.T) {
	value := []byte(goodParent)
	require.Zero(t, testing.AllocsPerRun(100, func() { _, _, _ = sale.ParseTraceparent(value) }))
}
