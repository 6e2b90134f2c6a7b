package terminal

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// press sends keys by their names and returns the last effect.
func press(s *screen, keys ...string) (of effect) {
	for _, key := range keys {
		text := key
		if len([]rune(key)) > 1 {
			text = ""
		}
		of = s.key(key, text)
	}
	return of
}

func TestKeysOfTheList(t *testing.T) {
	s := listOf(t)
	require.Equal(t, quits, press(s, "q"))
	require.Equal(t, quits, press(s, "ctrl+c"))
	for _, step := range []struct{ key, chosen string }{
		{"j", "b"}, {"down", "c"}, {"down", "c"}, {"k", "b"}, {"up", "a"}, {"up", "a"}, {"end", "c"}, {"home", "a"},
		{"pgdown", "c"},
		{"pgup", "a"}, {"G", "c"}, {"g", "a"},
	} {
		require.Equal(t, nothing, press(s, step.key))
		require.Equal(t, step.chosen, s.chosenID, step.key)
	}
	press(s, "down", "s")
	require.Equal(t, "presses", orders[s.by].name)
	require.Equal(t, []string{"c", "a", "b"}, ids(s), "an unknown number is last")
	require.Equal(t, "b", s.chosenID, "the choice stays with the sale")
	press(s, "s")
	require.Equal(t, []string{"b", "a", "c"}, ids(s), "sold")
	press(s, "s")
	require.Equal(t, []string{"a", "b", "c"}, ids(s))
	require.Equal(t, rewatches, press(s, "enter"))
	require.Equal(t, "b", s.id)
	require.Contains(t, text(s, noon), "waiting for the first numbers")
	require.Equal(t, nothing, press(s, "down", "enter"), "without numbers no key does harm")
	require.Equal(t, rewatches, press(s, "esc"))
	require.Empty(t, s.id)
	require.Equal(t, "b", s.chosenID)
	require.Equal(t, nothing, press(s, "esc", "x", "f1"))
}

func ids(s *screen) (all []string) {
	for _, one := range s.listed() {
		all = append(all, one.ID)
	}
	return all
}

func TestSearchOfTheList(t *testing.T) {
	s := listOf(t)
	press(s, "/", "G", "A", "x", "backspace")
	require.Contains(t, text(s, noon), "search: GA█")
	require.Len(t, ids(s), 3, "not yet")
	require.Equal(t, nothing, press(s, "enter"))
	require.Equal(t, []string{"c"}, ids(s))
	require.Contains(t, text(s, noon), "search: GA (esc ends it)")
	press(s, "/", "q")
	require.True(t, s.typing, "q is a letter of a search")
	press(s, "esc", "esc")
	require.Len(t, ids(s), 3)
	press(s, "/", "q", "q", "enter")
	require.Empty(t, ids(s))
	require.Equal(t, nothing, press(s, "down", "enter"))
	require.Equal(t, quits, press(s, "/", "ctrl+c"))
}

func TestKeysOfASale(t *testing.T) {
	s := saleOf(t)
	require.Equal(t, nothing, press(s, "down", "down", "down"))
	require.Equal(t, 1, s.chosen, "two SKUs are found")
	require.Equal(t, rewatches, press(s, "s"))
	require.Equal(t, Query{Sort: "available", Limit: rowsAsked}, s.query)
	require.Zero(t, s.chosen)
	press(s, "s", "s")
	require.Equal(t, "orders", s.query.Sort)
	press(s, "s")
	require.Equal(t, "sku", s.query.Sort)
	require.Equal(t, rewatches, press(s, "/", "红", "enter"))
	require.Equal(t, "红", s.query.Search)
	require.Equal(t, nothing, press(s, "/", "enter"), "the same search again")
	require.Equal(t, nothing, press(s, "/", "backspace", "backspace", "esc"), "the search stays as it was")
	require.Equal(t, rewatches, press(s, "esc"), "esc ends the search first")
	require.Equal(t, "a", s.id)
	s.key("/", "/")
	for range 3 {
		s.key("", strings.Repeat("x", 60)) // pasted
	}
	require.Len(t, s.typed, 60)
}

// A sale has more SKUs than a stream brings.
func TestScrollingAsksForOtherRows(t *testing.T) {
	s := saleOf(t)
	s.live.Items.Matched = 10000
	require.Equal(t, nothing, press(s, "down"))
	s.chosen = rowsAsked - 1
	require.Equal(t, rewatches, press(s, "down"))
	require.Equal(t, Query{Sort: "sku", From: rowsAsked / 2, Limit: rowsAsked}, s.query)
	require.Equal(t, nothing, press(s, "down"), "the chosen row is in the middle of the new ones")
	require.Equal(t, rewatches, press(s, "end"))
	require.Equal(t, 9999, s.chosen)
	require.Equal(t, 9899, s.query.From)
	s.live.Items.From = 9899
	require.Equal(t, 100, s.saleTable().chosen)
	require.Equal(t, rewatches, press(s, "home"))
	require.Zero(t, s.query.From)
	few := *s.live
	few.Items.Matched = 0
	s.apply(few, noon)
	require.Zero(t, s.chosen)
	require.Equal(t, nothing, press(s, "down", "up"))
}
