package main

import (
	"flag"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

// What is not understood starts nothing: all rows take hours.
func TestWrongArguments(t *testing.T) {
	for want, args := range map[string][]string{
		`"mysql97"`:  {"mysql97"},
		`mysql96`:    {"-only", "mysql96"},
		"-nonsense":  {"-nonsense"},
		`"tidb" "x"`: {"-only", "none", "tidb", "x"},
	} {
		require.ErrorContains(t, run(t.Context(), append(args, "-logs", t.TempDir()), io.Discard), want)
	}
	require.ErrorIs(t, run(t.Context(), []string{"-h"}, io.Discard), flag.ErrHelp)
}
