package doctor

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
)

// ofCheck returns the findings of one check.
func ofCheck(all []Finding, check string) (found []Finding) {
	for _, f := range all {
		if f.Check == check {
			found = append(found, f)
		}
	}
	return found
}

// The doctor asks Sentinels for the servers and looks at all of these.
func TestSentinelsNameTheServers(t *testing.T) {
	set := harness.SentinelSet(t, 1)
	o := Options{Namespace: "n", RedisAddrs: set.Addrs(), Sentinel: Sentinel{Master: harness.SentinelName}}
	facts := lookAtRedis(t.Context(), o)
	require.NoError(t, facts.err)
	require.Len(t, facts.nodes, 2)
	assert.True(t, facts.nodes[0].isPrimary())
	found := judgeRedis(facts, salesFacts{}, o)
	for _, f := range ofCheck(found, "sentinels") {
		assert.Equal(t, OK, f.Level, "%s", f.Found)
		assert.Contains(t, f.Found, "3 sentinels, quorum 2, down after 1000 ms, master")
	}
	assert.Len(t, ofCheck(found, "sentinels"), 3)
	for _, f := range ofCheck(found, "role") {
		assert.Equal(t, OK, f.Level, "a replica that Sentinels know is where it belongs: %s", f.Found)
	}

	set.Watchers[0].Kill()
	o.Sentinel.Master = "unknown"
	facts = lookAtRedis(t.Context(), o)
	require.Error(t, facts.err)
	found = judgeRedis(facts, salesFacts{}, o)
	assert.Len(t, ofCheck(found, "sentinels"), 3)
	require.Len(t, ofCheck(found, "answers"), 1)
	assert.Equal(t, Danger, ofCheck(found, "answers")[0].Level)
	assert.Contains(t, facts.err.Error(), "No such master with that name")
}

func TestJudgedSentinels(t *testing.T) {
	with := func(name, value string) sentinelFacts {
		s := sentinelFacts{addr: "s:1", primary: map[string]string{"num-other-sentinels": "2", "quorum": "2",
			"down-after-milliseconds": "5000", "flags": "master"}}
		s.primary[name] = value
		return s
	}
	for _, c := range []struct {
		facts sentinelFacts
		level Level
		mend  string
	}{
		{with("flags", "master"), OK, ""},
		{with("num-other-sentinels", "1"), Warning, "CKQUORUM"},
		{with("quorum", "4"), Danger, "CKQUORUM"},
		{with("flags", "s_down,master"), Danger, "CKQUORUM"},
		{with("down-after-milliseconds", "30000"), Warning, "down-after-milliseconds 5000"},
		{with("quorum", "many"), Unknown, "CKQUORUM"},
		{sentinelFacts{addr: "s:1", err: errors.New("away")}, Warning, "SENTINEL MASTER m"},
	} {
		f := &findings{store: Redis}
		judgeSentinels(f, []sentinelFacts{with("flags", "master"), c.facts}, "m")
		require.Len(t, f.all, 2)
		assert.Equal(t, c.level, f.all[1].Level, "%s", f.all[1].Found)
		if c.mend == "" {
			assert.Empty(t, f.all[1].Mend)
		} else {
			assert.Contains(t, f.all[1].Mend, c.mend)
		}
	}
}
