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
type releasedProgram struct {
	release  string
	packages string // separated by spaces; the first names the folder
	path     string // of the program below the root of the system, such as "usr/bin/redis-server"
}

// command returns the program's command line, fetching the packages and what they depend on into the cache at the first use.
func (p releasedProgram) command() ([]string, error) {
	home, err := p.home()
	if err != nil {
		return nil, err
	}
	loader, folders, err := librariesOf(home)
	if err != nil {
		return nil, err
	}
	return []string{loader, "--library-path", strings.Join(folders, ":"), filepath.Join(home, p.path)}, nil
}

// home returns the folder of the unpacked system, fetching it at the first use.
func (p releasedProgram) home() (string, error) {
	cache, err := cacheFolder()
	if err != nil {
		return "", err
	}
	first, _, _ := strings.Cut(p.packages, " ")
	home := filepath.Join(cache, "debian-"+p.release+"-"+first)
	fetched := func() bool { return isFolder(home) }
	if err := once("debian", fetched, func() error { return build(home, p.fetch) }); err != nil {
		return "", fmt.Errorf("fetch %s of Debian %s: %w", p.packages, p.release, err)
	}
	return home, nil
}

// librariesOf returns the loader of the C library in an unpacked system and the folders of the libraries. Releases before
// trixie keep some of them in /lib.
func librariesOf(home string) (loader string, folders []string, err error) {
	for _, root := range []string{"usr/lib", "lib"} {
		loaders, err := filepath.Glob(filepath.Join(home, root, "*-linux-gnu*", "ld-linux-*"))
		if err != nil {
			return "", nil, err
		}
		for _, found := range loaders {
			if loader != "" {
				return "", nil, fmt.Errorf("%s: more than one loader", home)
			}
			loader = found
		}
	}
	if loader == "" {
		return "", nil, fmt.Errorf("%s: no loader", home)
	}
	triplet := filepath.Base(filepath.Dir(loader))
	for _, folder := range []string{"usr/lib/" + triplet, "lib/" + triplet, "usr/lib/mysql/private"} {
		if isFolder(filepath.Join(home, folder)) {
			folders = append(folders, filepath.Join(home, folder))
		}
	}
	return loader, folders, nil
}

// fetch downloads the packages with all that they depend on, by apt with lists and an empty system of their own, and unpacks
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
	fetch := append([]string{"install", "--download-only", "-y"}, strings.Fields(p.packages)...)
	for _, step := range [][]string{{"update"}, fetch} {
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
