package harness

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// unpacked makes a cached package with one loader.
func unpacked(t *testing.T, p releasedProgram) (loader string) {
	t.Helper()
	cache, err := cacheFolder()
	require.NoError(t, err)
	libraries := filepath.Join(cache, "debian-"+p.release+"-"+p.packages, "usr", "lib", "x86_64-linux-gnu")
	require.NoError(t, os.MkdirAll(libraries, 0o755))
	loader = filepath.Join(libraries, "ld-linux-x86-64.so.2")
	require.NoError(t, os.WriteFile(loader, nil, 0o600))
	return loader
}

func TestProgramOfAnotherReleaseRunsOnItsOwnLibraries(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	p := releasedProgram{"next", "a-server", "usr/bin/server"}
	loader := unpacked(t, p)
	home := filepath.Dir(filepath.Dir(filepath.Dir(filepath.Dir(loader))))
	command, err := p.command()
	require.NoError(t, err)
	assert.Equal(t, []string{loader, "--library-path", filepath.Dir(loader), filepath.Join(home, "usr/bin/server")}, command)
	require.NoError(t, os.Remove(loader))
	_, err = p.command()
	require.ErrorContains(t, err, "no loader")
}

func TestReleaseThatCannotBeFetchedLeavesNothing(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("PATH", t.TempDir()) // without apt
	p := releasedProgram{"next", "a-server", "usr/bin/server"}
	_, err := p.command()
	require.ErrorContains(t, err, "fetch a-server of Debian next: not a Debian system with a mirror")
	cache, err := cacheFolder()
	require.NoError(t, err)
	assert.False(t, isFolder(filepath.Join(cache, "debian-next-a-server")))
}
