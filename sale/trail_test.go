package sale

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// chain returns n chained entries, the last one first, and the end of their chain.
func chain(n int) (entries []TrailEntry, head TrailHead) {
	for i := range n {
		e := TrailEntry{
			ID: int64(2*i + 1), At: TimeMillis(int64(i)), Who: "night", Role: RoleOperator, Verb: VerbOpen, Target: "sale/s",
			Sale: "s", Before: json.RawMessage(`{"state":"open"}`), After: json.RawMessage("null"), Outcome: OutcomeDone,
			Position: int64(i + 1),
		}
		e.Hash = e.Link(head.Hash)
		head = TrailHead{e.Position, e.Hash}
		entries = append([]TrailEntry{e}, entries...)
	}
	return entries, head
}

func verify(entries []TrailEntry, head TrailHead) error {
	check := TrailCheck{Head: head}
	for _, e := range entries {
		if err := check.Feed(e); err != nil {
			return err
		}
	}
	return check.End()
}

func TestAWholeChainIsWhole(t *testing.T) {
	for n := range 5 {
		entries, head := chain(n)
		require.NoError(t, verify(entries, head), "%d entries", n)
	}
}

func TestAChangedEntryBreaksTheChain(t *testing.T) {
	for at := range 4 {
		for name, change := range map[string]func(*TrailEntry){
			"id": func(e *TrailEntry) { e.ID++ }, "at": func(e *TrailEntry) { e.At = TimeMillis(99) },
			"who": func(e *TrailEntry) { e.Who = "day" }, "role": func(e *TrailEntry) { e.Role = RoleAdmin },
			"verb": func(e *TrailEntry) { e.Verb = VerbPause }, "target": func(e *TrailEntry) { e.Target = "sale/t" },
			"sale": func(e *TrailEntry) { e.Sale = "t" }, "before": func(e *TrailEntry) { e.Before = json.RawMessage("1") },
			"after": func(e *TrailEntry) { e.After = json.RawMessage("1") }, "outcome": func(e *TrailEntry) { e.Outcome = "x" },
			"request": func(e *TrailEntry) { e.RequestID = "x" }, "position": func(e *TrailEntry) { e.Position += 7 },
			"hash":  func(e *TrailEntry) { e.Hash = "00" + e.Hash[2:] },
			"moved": func(e *TrailEntry) { e.Who, e.Verb = e.Who[:4], e.Who[4:]+e.Verb }, // the same characters in other members
		} {
			entries, head := chain(4)
			change(&entries[at])
			require.ErrorIs(t, verify(entries, head), ErrTrailBroken, "%s of entry %d", name, at)
		}
	}
}

func TestAMissingEntryBreaksTheChain(t *testing.T) {
	for at := range 4 {
		entries, head := chain(4)
		require.ErrorIs(t, verify(append(entries[:at:at], entries[at+1:]...), head), ErrTrailBroken, "without entry %d", at)
	}
	entries, head := chain(4)
	require.ErrorIs(t, verify(nil, head), ErrTrailBroken)
	require.ErrorIs(t, verify(entries, TrailHead{}), ErrTrailBroken)
	require.ErrorIs(t, verify(append(entries[:1:1], entries...), head), ErrTrailBroken, "an entry twice")
}

func TestActorOfAContext(t *testing.T) {
	require.Equal(t, Actor{Who: "engine", Role: RoleEngine}, ActorOf(context.Background()))
	require.False(t, RoleEngine.Known(), "no token has the engine's role")
	night := Actor{"night", RoleOperator, "r-1"}
	require.Equal(t, night, ActorOf(WithActor(context.Background(), night)))
}

func TestDefinitionChangeNamesWhatDiffers(t *testing.T) {
	limit := 2
	before := Sale{ID: "s", Name: "n", Buckets: 1, Items: []Item{
		{SKU: "a", Stock: 1}, {SKU: "b", Stock: 2}, {SKU: "gone", Stock: 3},
	}}
	after := before
	after.Name = "m"
	after.Items = []Item{{SKU: "b", Stock: 2}, {SKU: "a", Stock: 1, PerBuyerLimit: &limit}, {SKU: "new", Stock: 4}}
	c := DefinitionChange(&before, &after)
	require.Equal(t, VerbChange, c.Verb)
	was, err := json.Marshal(c.Before)
	require.NoError(t, err)
	is, err := json.Marshal(c.After)
	require.NoError(t, err)
	require.JSONEq(t, `{"name":"n","items":[{"sku":"a","stock":1,"price_cents":0,"name":"","per_buyer_limit":null},
		{"sku":"gone","stock":3,"price_cents":0,"name":"","per_buyer_limit":null}]}`, string(was))
	require.JSONEq(t, `{"name":"m","items":[{"sku":"a","stock":1,"price_cents":0,"name":"","per_buyer_limit":2},
		{"sku":"new","stock":4,"price_cents":0,"name":"","per_buyer_limit":null}]}`, string(is))
	require.Equal(t, VerbCreate, DefinitionChange(nil, &after).Verb)
	require.Nil(t, DefinitionChange(nil, &after).Before)
}

func TestRebuildChangesAreOneForEachSale(t *testing.T) {
	changes := RebuildChanges([]Bucket{{"a", 0}, {"b", 1}, {"a", 2}}, BucketClosed, "why")
	require.Len(t, changes, 2)
	require.Equal(t, "sale/a", changes[0].Target)
	require.Equal(t, map[string]any{"buckets": []int{0, 2}, "state": BucketClosed, "reason": "why"}, changes[0].After)
	require.Equal(t, map[string]any{"buckets": []int{1}, "state": BucketClosed, "reason": "why"}, changes[1].After)
	require.Empty(t, RebuildChanges(nil, BucketOpen, ""))
}
