//go:build !unix

package embedded

import "os"

// lockFile has no portable lock to take here: two processes on one directory are the user's mistake.
func lockFile(*os.File) error { return nil }
