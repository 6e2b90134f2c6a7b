package embedded

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
)

// lockDir takes the directory for this process. The lock is the kernel's, so it ends with the process, however that dies.
func lockDir(dir string) (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock data directory: %w", err)
	}
	if err := lockFile(file); err != nil {
		_ = file.Close() // nothing was written; the error below is the one to tell
		return nil, fmt.Errorf("data directory %s is in use by another process: %w", dir, err)
	}
	return file, nil
}

// sqliteDSN returns the name of a database file as a URI, in which the path may hold any character. How the file is opened
// is the store's business.
func sqliteDSN(path string) string {
	return (&url.URL{Scheme: "file", OmitHost: true, Path: path}).String()
}
