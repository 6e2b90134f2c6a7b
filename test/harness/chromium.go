package harness

import (
	"os"
	"testing"
)

// Chromium returns the path of Debian's Chromium, which it installs where it is missing. FLASHSALE_TEST_CHROMIUM names another
// browser of the kind.
func Chromium(t testing.TB) string {
	t.Helper()
	if named := os.Getenv("FLASHSALE_TEST_CHROMIUM"); named != "" {
		return named
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path := findProgram(name); path != "" {
			return path
		}
	}
	path, err := program("chromium", "chromium", "FLASHSALE_TEST_CHROMIUM to the path of a Chromium")
	if err != nil {
		t.Fatal(err)
	}
	return path
}
