package chaos

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
)

// Every room that has side effects has crash points.
func TestPointsAreThere(t *testing.T) {
	points, err := Points(harness.Root(t))
	require.NoError(t, err)
	rooms := map[string]int{}
	for _, p := range points {
		room, _, _ := strings.Cut(p.Name, ".")
		rooms[room+"."]++
	}
	for _, room := range []string{
		"admin.", "archiver.", "controller.", "events.", "expiry.", "gateway.", "identity.", "lease.", "list.", "orderids.",
		"rebuild.", "relay.", "release.", "reserve.", "settle.", "store.", "topics.", "window.",
	} {
		require.Positive(t, rooms[room], "no crash point begins with %s", room)
	}
}

func TestPointsOfASource(t *testing.T) {
	read := func(body string) ([]Point, error) {
		dir := t.TempDir()
		text := "package p\n\nfunc f() {\n" + body + "\n}\n"
		require.NoError(t, os.WriteFile(filepath.Join(dir, "p.go"), []byte(text), 0o600))
		return Points(dir)
	}
	points, err := read(`faults.Point("room.thing-done"); other.Point("x"); faults.Point("a.b")`)
	require.NoError(t, err)
	require.Len(t, points, 2)
	require.Equal(t, "a.b", points[0].Name)
	require.Contains(t, points[1].Place, "p.go:4")
	for body, fault := range map[string]string{
		`faults.Point(name)`:                       "without a literal name",
		`faults.Point("Done")`:                     "not named",
		`faults.Point("a.b"); faults.Point("a.b")`: "is at",
	} {
		_, err := read(body)
		require.ErrorContains(t, err, fault)
	}
}
