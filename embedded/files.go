package embedded

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
)

// databaseName is the file that tells a data directory from others.
const databaseName = "flashsale.db"

// makePrivate makes the directory, or takes the rights of others on it away. A directory that is open to others and holds
// what is not of this engine, such as a home or /tmp, is refused: it would be closed to everybody who uses it.
func makePrivate(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("create data directory: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	if info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	ours := len(entries) == 0 || slices.ContainsFunc(entries, func(e os.DirEntry) bool { return e.Name() == databaseName })
	if !ours {
		return fmt.Errorf("data directory %s is open to others and holds other files: name an empty or a new one", dir)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return fmt.Errorf("take the rights of others on the data directory away: %w", err)
	}
	return nil
}

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
