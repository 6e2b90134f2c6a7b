package sale

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestTimesAreWrittenInUTCWithMilliseconds(t *testing.T) {
	shanghai := time.FixedZone("", 8*3600)
	for want, moment := range map[string]time.Time{
		"2026-11-11T02:00:00.000Z": time.Date(2026, 11, 11, 10, 0, 0, 0, shanghai),
		"2026-11-11T10:00:00.999Z": time.Date(2026, 11, 11, 10, 0, 0, 999_999_999, time.UTC),
		"1970-01-01T00:00:00.000Z": time.UnixMilli(0),
	} {
		assert.Equal(t, want, Time{moment}.String())
		text, err := json.Marshal(Time{moment})
		require.NoError(t, err)
		assert.Equal(t, `"`+want+`"`, string(text))
		plain, err := Time{moment}.MarshalText()
		require.NoError(t, err)
		assert.Equal(t, want, string(plain))
	}
}

func TestTimesAreReadInAnyZone(t *testing.T) {
	for text, want := range map[string]string{
		"2026-11-11T10:00:00Z":            "2026-11-11T10:00:00.000Z",
		"2026-11-11T10:00:00.1239Z":       "2026-11-11T10:00:00.123Z",
		"2026-11-11T18:00:00+08:00":       "2026-11-11T10:00:00.000Z",
		"2026-11-11T04:30:00.5-05:30":     "2026-11-11T10:00:00.500Z",
		"2026-11-11T10:00:00.123456789Z":  "2026-11-11T10:00:00.123Z",
		"1969-12-31T23:59:59.9999+00:00":  "1969-12-31T23:59:59.999Z",
		"2026-11-11T10:00:00.000000000+0": "",
		"2026-11-11 10:00:00Z":            "",
		"2026-11-11T10:00:00":             "",
		"2026-13-11T10:00:00Z":            "",
		"2026-02-30T10:00:00Z":            "",
		"2026-11-11":                      "",
		"1762855200":                      "",
		"":                                "",
	} {
		var got Time
		err := got.UnmarshalText([]byte(text))
		if want == "" {
			assert.Error(t, err, "%q", text)
			continue
		}
		require.NoError(t, err)
		assert.Equal(t, want, got.String(), "%q", text)
		assert.Equal(t, time.UTC, got.Location())
	}
}

func TestTimesInJSONAreText(t *testing.T) {
	for _, text := range []string{`1762855200`, `null`, `true`, `{}`, `["2026-11-11T10:00:00Z"]`, `"soon"`} {
		var got Time
		assert.Error(t, json.Unmarshal([]byte(text), &got), text)
	}
}

func FuzzTime(f *testing.F) {
	for _, seed := range []string{`"2026-11-11T10:00:00Z"`, `"`, `""`, `null`, `"9999-12-31T23:59:59.999-23:59"`,
		`"0000-01-01T00:00:00+23:59"`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var got, back Time
		if got.UnmarshalJSON(data) != nil || !storable(got) {
			return
		}
		text, err := got.MarshalJSON()
		require.NoError(t, err)
		require.NoError(t, back.UnmarshalJSON(text))
		require.True(t, got.Equal(back.Time), "%s became %s", data, text)
	})
}

func TestTimesSurviveJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := TimeMillis(rapid.Int64Range(0, MaxCreatedMS).Draw(t, "ms"))
		text, err := json.Marshal(want)
		require.NoError(t, err)
		require.Len(t, text, len(TimeLayout)+2)
		var got Time
		require.NoError(t, json.Unmarshal(text, &got))
		require.Equal(t, want.UnixMilli(), got.UnixMilli())
	})
}
