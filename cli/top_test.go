package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestTopOnce(t *testing.T) {
	environ := (&salesAPI{skus: 3}).start(t)
	got := command(t, environ, "", "top", "s", "--once", "--sort", "sold", "--search", "sku")
	require.Equal(t, ExitDone, got.code, got.stderr)
	require.Regexp(t, `(?m)^sku-2 +7 `, got.stdout)
	require.NotContains(t, got.stdout, "\x1b")
	require.Equal(t, ExitUsage, command(t, environ, "", "top", "s", "--sort", "price").code)
	none := command(t, environ, "", "top", "none")
	require.Equal(t, ExitFailed, none.code)
	require.Contains(t, none.stderr, "flashsale sale list names its sales")
	away := command(t, []string{testToken, "FLASHSALE_ADMIN_URL=http://" + closedPort(t)}, "", "top")
	require.Equal(t, ExitUnreadable, away.code)
	require.Contains(t, away.stderr, "is a gateway running there (admin.url)?")
}

// pseudoTerminal opens a terminal of so many columns: what a person types and sees, and what a program reads and writes.
func pseudoTerminal(t *testing.T, columns, lines uint16) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = person.Close() }) // the test may have closed it
	fd := int(person.Fd())
	require.NoError(t, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	require.NoError(t, err)
	require.NoError(t, unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: lines, Col: columns}))
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = program.Close() }) // as above
	return person, program
}

// On a terminal top draws a screen, takes keys, and leaves the terminal as it was.
func TestTopOnATerminal(t *testing.T) {
	environ := append((&salesAPI{skus: 3}).start(t), "TERM=xterm-256color", "NO_COLOR=1")
	person, program := pseudoTerminal(t, 100, 24)
	ended := make(chan int, 1)
	go func() {
		ended <- Run(t.Context(), &table{}, []string{"top", "s"}, environ, Streams{program, program, program})
	}()
	seen := &watchedBuffer{want: "sku-2", seen: make(chan struct{})}
	go func() { _, _ = io.Copy(seen, person) }() // ends with the terminal
	select {
	case <-seen.seen:
	case code := <-ended:
		t.Fatalf("top ended with %d: %s", code, seen)
	case <-time.After(20 * time.Second):
		t.Fatalf("no screen: %q", seen)
	}
	_, err := person.WriteString("q")
	require.NoError(t, err)
	select {
	case code := <-ended:
		require.Equal(t, ExitDone, code, seen.String())
	case <-time.After(20 * time.Second):
		t.Fatalf("q does not end it: %q", seen)
	}
	left := func() bool { return strings.Contains(seen.String(), "\x1b[?1049l") }
	require.Eventually(t, left, 5*time.Second, 5*time.Millisecond, "the alternate screen is left")
	require.Contains(t, seen.String(), "\x1b[?1049h")
	require.NotRegexp(t, `\x1b\[[0-9;]*3[0-7]m`, seen.String(), "NO_COLOR")
}
