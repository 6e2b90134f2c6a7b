package sale

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func drawLines(t *rapid.T) []Line {
	return rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) Line {
		return Line{
			SKU: drawID(t, "sku"), Quantity: rapid.IntRange(1, MaxQuantity).Draw(t, "quantity"),
			UnitPriceCents: rapid.Int64Range(0, MaxPriceCents).Draw(t, "price"),
		}
	}), 1, 5, func(l Line) string { return l.SKU }).Draw(t, "lines")
}

func drawUnits(t *rapid.T) []SKUUnits {
	return rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) SKUUnits {
		return SKUUnits{SKU: drawID(t, "sku"), Units: rapid.Int64Range(1, MaxStock).Draw(t, "units")}
	}), 1, 5, func(u SKUUnits) string { return u.SKU }).Draw(t, "units by sku")
}

func TestSumsOfLines(t *testing.T) {
	lines := []Line{
		{SKU: "phone", Quantity: 2, UnitPriceCents: 129_900}, {SKU: "case", Quantity: 100, UnitPriceCents: MaxPriceCents},
	}
	assert.Equal(t, 102, UnitsOf(lines))
	assert.EqualValues(t, 259_800+100*MaxPriceCents, TotalCents(lines))
	assert.Zero(t, UnitsOf(nil))
	assert.Zero(t, TotalCents(nil))
}

func TestLinesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lines := drawLines(t)
		text := string(AppendLines(nil, lines))
		before := []Line{{SKU: lines[0].SKU}} // of another order, which may have the same SKU
		got, ok := ParseLines(before, text)
		require.True(t, ok)
		require.Equal(t, append(before, lines...), got)
		for _, bad := range []string{text + ",", "," + text, text + "," + text, text + " "} {
			got, ok = ParseLines(before, bad)
			require.False(t, ok, bad)
			require.Equal(t, before, got)
		}
	})
}

func TestUnitsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		units := drawUnits(t)
		text := string(AppendUnits(nil, units))
		got, ok := ParseUnits(text)
		require.True(t, ok)
		require.Equal(t, units, got)
		_, ok = ParseUnits(text + "," + text)
		require.False(t, ok)
	})
}

func TestUnitsOutsideTheFormat(t *testing.T) {
	for _, text := range []string{
		"", ",", "a", "a:", ":1", "a:0", "a:01", "a:-1", "a:1:1", "a:10000001", "_a:1", "a:1,", ",a:1", "a:1,a:2", "a:1 ",
		"a:1,b",
	} {
		_, ok := ParseUnits(text)
		assert.False(t, ok, "%q", text)
	}
	units := make([]SKUUnits, MaxTransferSKUs+1)
	for i := range units {
		units[i] = SKUUnits{SKU: fmt.Sprint(i), Units: 1}
	}
	_, ok := ParseUnits(string(AppendUnits(nil, units[:MaxTransferSKUs])))
	assert.True(t, ok)
	_, ok = ParseUnits(string(AppendUnits(nil, units)))
	assert.False(t, ok)
}

// A repeated press may name its lines in another order; prices and numbers do not count.
func TestSameLines(t *testing.T) {
	lines := []Line{{SKU: "a", Quantity: 1, UnitPriceCents: 5, Number: 1}, {SKU: "b", Quantity: 2}}
	for other, want := range map[string]bool{
		"a:1:0,b:2:0": true, "b:2:0,a:1:9": true, "a:1:0": false, "a:1:0,b:1:0": false, "a:2:0,b:1:0": false,
		"a:1:0,c:2:0": false, "a:1:0,b:2:0,c:1:0": false,
	} {
		parsed, ok := ParseLines(nil, other)
		require.True(t, ok)
		assert.Equal(t, want, SameLines(lines, parsed), other)
		assert.Equal(t, want, SameLines(parsed, lines), other)
	}
	assert.True(t, SameLines(nil, nil))
}

func FuzzParseLines(f *testing.F) {
	for _, seed := range []string{"a:1:0", "a:1:0,b:100:1000000000000", "a:1:0,a:1:0", "a:01:0", "", ",", "a:1", manyLines(21)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		lines, ok := ParseLines(nil, text)
		require.Equal(t, oracleList(text, MaxLines, oracleLine, MaxPriceCents), ok)
		if ok {
			require.Equal(t, text, string(AppendLines(nil, lines)))
			require.Equal(t, strings.Count(text, ",")+1, len(lines))
		}
	})
}
