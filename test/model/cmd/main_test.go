package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCommand(t *testing.T) {
	for _, c := range []struct{ args, prints, fails string }{
		{"-only takeover -states 500", "6 setups", ""},
		{"-shape single -faults rewind -hidden", "replication id hidden; rewind×1", ""},
		{"-shape twin -faults transfer,cancel -one-server -steady", "2 setups", ""},
		{"-off credit-through-outbox", "redis holds more units than were loaded", "1 setups break the promise"},
		{"-shape twin -faults transfer -off credit-through-outbox", "a transfer leaves redis", "1 setups break the promise"},
		{"-walk -walks 50 -seed 5", "11 setups", ""},
		{"-walk -walks 5000 -off key-answers-once", "one key was answered with two orders", "11 setups break the promise"},
		{"-only the-moon", "", `no setup's name contains "the-moon"`},
		{"-shape the-moon", "", `no shape is named "the-moon"`},
		{"-shape single -faults the-moon", "", `no fault is named "the-moon"`},
		{"-off the-moon", "", `no rule is named "the-moon"`},
		{"-the-moon", "Usage", "flag provided but not defined: -the-moon"},
	} {
		var out strings.Builder
		err := run(strings.Fields(c.args), &out)
		if c.fails == "" {
			require.NoError(t, err, c.args)
		} else {
			require.EqualError(t, err, c.fails)
		}
		require.Contains(t, out.String(), c.prints, c.args)
	}
}
