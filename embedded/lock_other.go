//go:build !unix

package embedded

import "os"

// lockFile does nothing, because there is no portable lock. Users must not start two processes on one directory.
func lockFile(*os.File) error { return nil }
