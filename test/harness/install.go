package harness

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// once runs work under a lock that all test processes of this user share, unless done reports that the result exists, so
// that parallel packages install once.
func once(lock string, done func() bool, work func() error) error {
	if done() {
		return nil
	}
	cache, err := cacheFolder()
	if err != nil {
		return err
	}
	file, err := os.OpenFile(filepath.Join(cache, lock+".lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return fmt.Errorf("lock %s: %w", lock, err)
	}
	defer file.Close() // gives the lock up
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("lock %s: %w", lock, err)
	}
	if done() {
		return nil
	}
	return work()
}

// program returns the path of a program from the PATH or the system folders (Debian keeps servers out of a user's PATH),
// installing the Debian package when it is missing and this process may.
func program(name, debianPackage, environment string) (string, error) {
	path := findProgram(name)
	if path != "" {
		return path, nil
	}
	hint := fmt.Sprintf("%s is missing: type `apt-get install --no-install-recommends %s`, or set %s",
		name, debianPackage, environment)
	found := func() bool { path = findProgram(name); return path != "" }
	if err := once("apt", found, func() error { return installPackage(debianPackage) }); err != nil {
		return "", fmt.Errorf("%s (%w)", hint, err)
	}
	if !found() {
		return "", errors.New(hint)
	}
	return path, nil
}

// Program returns the path of a program that a test runs, such as curl, installing its Debian package when it is
// missing.
func Program(t testing.TB, name, debianPackage string) string {
	t.Helper()
	path, err := program(name, debianPackage, "the PATH so that it holds "+name)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func findProgram(name string) string {
	for _, candidate := range []string{name, "/usr/sbin/" + name, "/usr/local/sbin/" + name, "/usr/local/bin/" + name} {
		if path, err := exec.LookPath(candidate); err == nil {
			return path
		}
	}
	return ""
}

// installPackage installs a Debian package as root. RUNLEVEL=1 keeps the package from starting its service: the harness
// starts private copies only.
func installPackage(name string) error {
	apt, err := exec.LookPath("apt-get")
	if err != nil || os.Geteuid() != 0 {
		return errors.New("not root on a Debian system, so it cannot be installed from here")
	}
	steps := [][]string{
		{"update", "-qq"},
		{"install", "-y", "-qq", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300", name},
	}
	for _, step := range steps {
		cmd := exec.Command(apt, step...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1")
		if output, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("apt-get %s: %w\n%s", step[0], err, Tail(string(output)))
		}
	}
	return nil
}

// isFile and isFolder report whether a template or an installation exists.
func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// build makes the folder target through fill, which gets a folder beside it that is renamed at the end: a build that was
// interrupted leaves no half-made target.
func build(target string, fill func(dir string) error) error {
	half := target + ".half"
	if err := os.RemoveAll(half); err != nil {
		return err
	}
	if err := os.MkdirAll(half, 0o755); err != nil {
		return err
	}
	if err := fill(half); err != nil {
		return err
	}
	return os.Rename(half, target)
}
