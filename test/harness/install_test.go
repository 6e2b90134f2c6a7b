package harness

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWorkIsDoneOnce(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	marker := filepath.Join(t.TempDir(), "done")
	var group sync.WaitGroup
	var made sync.Map
	for i := range 8 {
		group.Add(1)
		go func() {
			defer group.Done()
			err := once("work", func() bool { return isFile(marker) }, func() error {
				made.Store(i, true)
				return os.WriteFile(marker, nil, 0o600)
			})
			assert.NoError(t, err)
		}()
	}
	group.Wait()
	count := 0
	made.Range(func(any, any) bool { count++; return true })
	assert.Equal(t, 1, count)
}

func TestInterruptedBuildsLeaveNothing(t *testing.T) {
	target := filepath.Join(t.TempDir(), "target")
	broken := errors.New("broken")
	err := build(target, func(dir string) error {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "half"), nil, 0o600))
		return broken
	})
	require.ErrorIs(t, err, broken)
	assert.False(t, isFolder(target))
	require.NoError(t, build(target, func(dir string) error { return os.WriteFile(filepath.Join(dir, "whole"), nil, 0o600) }))
	assert.True(t, isFile(filepath.Join(target, "whole")))
	assert.False(t, isFile(filepath.Join(target, "half")))
}

func TestTheCacheIsTheUsers(t *testing.T) {
	home := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", home)
	cache, err := cacheFolder()
	require.NoError(t, err)
	assert.Equal(t, filepath.Join(home, "flashsale-test"), cache)
	t.Setenv("XDG_CACHE_HOME", "")
	t.Setenv("HOME", "")
	cache, err = cacheFolder()
	require.NoError(t, err)
	assert.Equal(t, os.TempDir(), filepath.Dir(cache), "an account without a home")
}

// TestAMissingServerSaysWhatToType: nothing is skipped, and the line to type is in the failure.
func TestAMissingServerSaysWhatToType(t *testing.T) {
	t.Setenv("PATH", t.TempDir()) // no apt-get either
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	_, err := program("no-such-server", "no-such-package", "FLASHSALE_TEST_NONE=host:port")
	require.Error(t, err)
	assert.Contains(t, err.Error(), "apt-get install --no-install-recommends no-such-package")
	assert.Contains(t, err.Error(), "FLASHSALE_TEST_NONE=host:port")
	_, err = readShare(t.TempDir(), "no-such-file.sql")
	require.Error(t, err)
}

func TestPortsAreClaimed(t *testing.T) {
	seen := map[string]bool{}
	for range 50 {
		address := Address(t)
		assert.False(t, seen[address])
		seen[address] = true
		host, text, err := net.SplitHostPort(address)
		require.NoError(t, err)
		port, err := strconv.Atoi(text)
		require.NoError(t, err)
		assert.Equal(t, "127.0.0.1", host)
		assert.False(t, claimPort(filepath.Join(os.TempDir(), "flashsale-ports"), port), "claimed ports are not given twice")
		assert.Less(t, port, 32_768, "below the ports of outgoing connections")
	}
}
