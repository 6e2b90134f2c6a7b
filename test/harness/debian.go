package harness

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// debianKeyring verifies what every release of Debian signs.
const debianKeyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// releasedProgram is a program of a Debian release that need not be this machine's. It runs on the release's own libraries,
// by their loader, and nothing of it is installed.
type releasedProgram struct{ release, debianPackage, name string }

// command returns the program's command line, fetching the package and what it depends on into the cache at the first use.
func (p releasedProgram) command() ([]string, error) {
	cache, err := cacheFolder()
	if err != nil {
		return nil, err
	}
	home := filepath.Join(cache, "debian-"+p.release+"-"+p.debianPackage)
	fetched := func() bool { return isFolder(home) }
	if err := once("debian", fetched, func() error { return build(home, p.fetch) }); err != nil {
		return nil, fmt.Errorf("fetch %s of Debian %s: %w", p.debianPackage, p.release, err)
	}
	loader, err := loaderOf(home)
	if err != nil {
		return nil, err
	}
	return []string{loader, "--library-path", filepath.Dir(loader), filepath.Join(home, "usr", "bin", p.name)}, nil
}

// loaderOf returns the loader of the C library in an unpacked system; the other libraries are in the same folder.
func loaderOf(home string) (string, error) {
	found, err := filepath.Glob(filepath.Join(home, "usr", "lib", "*-linux-gnu*", "ld-linux-*"))
	if err == nil && len(found) != 1 {
		err = fmt.Errorf("%s: %d loaders, expected one", home, len(found))
	}
	if err != nil {
		return "", err
	}
	return found[0], nil
}

// fetch downloads the package with all that it depends on, by apt with lists and an empty system of their own, and unpacks
// them into dir.
func (p releasedProgram) fetch(dir string) error {
	work, err := os.MkdirTemp("", "flashsale-debian-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	options, err := p.aptOptions(work)
	if err != nil {
		return err
	}
	for _, step := range [][]string{{"update"}, {"install", "--download-only", "-y", p.debianPackage}} {
		if err := run("apt-get", append(append([]string{"-qq"}, options...), step...)...); err != nil {
			return err
		}
	}
	packages, err := filepath.Glob(filepath.Join(work, "archives", "*.deb"))
	if err == nil && len(packages) == 0 {
		err = errors.New("apt-get downloaded nothing")
	}
	for _, one := range packages {
		err = errors.Join(err, run("dpkg-deb", "-x", one, dir))
	}
	return err
}

// aptOptions prepares a folder for apt, which then knows the release alone, from the mirror that this machine uses, and no
// installed package.
func (p releasedProgram) aptOptions(work string) ([]string, error) {
	mirrors, err := exec.Command("apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages").Output()
	mirror, _, _ := strings.Cut(string(mirrors), "\n")
	if err != nil || mirror == "" {
		return nil, errors.Join(errors.New("not a Debian system with a mirror"), err)
	}
	for _, folder := range []string{"sources", "lists/partial", "archives/partial"} {
		if err := os.MkdirAll(filepath.Join(work, folder), 0o755); err != nil {
			return nil, err
		}
	}
	source := fmt.Appendf(nil, "deb [signed-by=%s] %s %s main\n", debianKeyring, mirror, p.release)
	if err := os.WriteFile(filepath.Join(work, "sources", "release.list"), source, 0o600); err != nil {
		return nil, err
	}
	status := filepath.Join(work, "status")
	if err := os.WriteFile(status, nil, 0o600); err != nil {
		return nil, err
	}
	return []string{
		"-o", "Dir::Etc::sourcelist=/dev/null", "-o", "Dir::Etc::sourceparts=" + filepath.Join(work, "sources"),
		"-o", "Dir::State::lists=" + filepath.Join(work, "lists"), "-o", "Dir::State::status=" + status,
		"-o", "Dir::Cache::archives=" + filepath.Join(work, "archives"),
		"-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache=",
		"-o", "APT::Install-Recommends=false", "-o", "APT::Sandbox::User=",
	}, nil
}

// run runs a command whose output matters only when it fails.
func run(name string, args ...string) error {
	if output, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, Tail(string(output)))
	}
	return nil
}
