package embedded

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
)

// databaseName is the file by which makePrivate recognizes a data directory.
const databaseName = "flashsale.db"

// makePrivate creates the directory, or removes the rights of other users on it. It refuses a directory that is open to others
// and contains files of others, such as a home or /tmp, because its other users would lose their access.
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
		return fmt.Errorf("remove the rights of other users on the data directory: %w", err)
	}
	return nil
}

// lockDir locks the directory for this process. It is a lock of the kernel, so it ends with the process, even after kill -9.
func lockDir(dir string) (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock data directory: %w", err)
	}
	if err := lockFile(file); err != nil {
		_ = file.Close() // nothing was written; the caller gets the error of the lock
		return nil, fmt.Errorf("data directory %s is in use by another process: %w", dir, err)
	}
	return file, nil
}

// sqliteDSN returns the path of a database file as a URI, in which the path may have any character. The store adds its own
// parameters.
func sqliteDSN(path string) string {
	return (&url.URL{Scheme: "file", OmitHost: true, Path: path}).String()
}
