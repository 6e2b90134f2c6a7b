package deploy_test

import (
	"crypto/x509"
	"debug/buildinfo"
	"debug/elf"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
)

// instruction is one line of the Dockerfile, with the lines that continue it.
type instruction struct{ name, text string }

// stages returns the instructions of the Dockerfile by stage.
func stages(t *testing.T) (all [][]instruction) {
	t.Helper()
	text := strings.ReplaceAll(read(t, "Dockerfile"), "\\\n", " ")
	for line := range strings.Lines(text) {
		name, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch {
		case name == "" || strings.HasPrefix(name, "#"):
			continue
		case name == "FROM":
			all = append(all, nil)
		}
		all[len(all)-1] = append(all[len(all)-1], instruction{name, rest})
	}
	return all
}

// onlyOne returns the text of the only instruction of a name that contains a word.
func onlyOne(t *testing.T, stage []instruction, name, word string) string {
	t.Helper()
	found := ""
	for _, one := range stage {
		if one.name == name && strings.Contains(one.text, word) {
			require.Empty(t, found, "%s %s twice", name, word)
			found = one.text
		}
	}
	require.NotEmpty(t, found, "no %s %s", name, word)
	return found
}

// buildStage runs the compiler's command of the first stage in this tree. It returns the place of each file of that stage which
// the last one copies; the authorities are those of this machine, which has the package that the stage has.
func buildStage(t *testing.T, stage []instruction) map[string]string {
	t.Helper()
	command := onlyOne(t, stage, "RUN", "go build")
	output := regexp.MustCompile(` -o (\S+) `).FindStringSubmatch(command)
	require.NotNil(t, output)
	binary := filepath.Join(t.TempDir(), "binary")
	build := exec.Command("sh", "-c", strings.Replace(command, " -o "+output[1]+" ", " -o "+binary+" ", 1))
	build.Dir = harness.Root(t)
	build.Env = append(os.Environ(), "VERSION=1.2.3", "COMMIT=0123456789ab")
	text, err := build.CombinedOutput()
	require.NoError(t, err, "%s", text)
	return map[string]string{
		output[1]:                            binary,
		"/etc/ssl/certs/ca-certificates.crt": "/etc/ssl/certs/ca-certificates.crt",
	}
}

// imageRoot builds the root of the image as a builder of containers does: an empty folder, and what the last stage copies.
func imageRoot(t *testing.T) (root string, last []instruction) {
	t.Helper()
	all := stages(t)
	require.Len(t, all, 2)
	built, last := buildStage(t, all[0]), all[1]
	require.Equal(t, "scratch", onlyOne(t, last, "FROM", ""))
	root = t.TempDir()
	require.NoError(t, os.Chmod(root, 0o755))
	for _, one := range last {
		if one.name != "COPY" {
			continue
		}
		words := strings.Fields(one.text)
		require.Len(t, words, 3, one.text)
		require.Equal(t, "--from=build", words[0])
		from, known := built[words[1]]
		require.True(t, known, "the first stage does not make %s", words[1])
		to := filepath.Join(root, words[2])
		require.NoError(t, os.MkdirAll(filepath.Dir(to), 0o755))
		info, err := os.Stat(from)
		require.NoError(t, err)
		content, err := os.ReadFile(from)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(to, content, info.Mode().Perm()))
	}
	return root, last
}

// The image has two files: the program, static, and the authorities that a TLS client reads. There is no shell.
func TestImageHasTwoFiles(t *testing.T) {
	harness.Program(t, "update-ca-certificates", "ca-certificates")
	root, _ := imageRoot(t)
	modes := map[string]fs.FileMode{}
	require.NoError(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		modes[name] = info.Mode()
		require.Zero(t, info.Mode().Perm()&0o022, "%s can be written by others", name)
		require.Equal(t, fs.FileMode(0o4), info.Mode().Perm()&0o4, "%s can be read by the image's user", name)
		return err
	}))
	const program, authorities = "usr/local/bin/flashsale", "etc/ssl/certs/ca-certificates.crt"
	require.Len(t, modes, 2)
	require.Contains(t, modes, authorities)
	require.Equal(t, fs.FileMode(0o1), modes[program]&0o1, "the image's user can run it")
	binary, err := elf.Open(filepath.Join(root, program))
	require.NoError(t, err)
	defer binary.Close()
	libraries, err := binary.ImportedLibraries()
	require.NoError(t, err)
	require.Empty(t, libraries)
	for _, segment := range binary.Progs {
		require.NotEqual(t, elf.PT_INTERP, segment.Type, "it needs no loader")
	}
	build, err := buildinfo.ReadFile(filepath.Join(root, program))
	require.NoError(t, err)
	for _, setting := range build.Settings {
		if setting.Key == "-tags" {
			require.Equal(t, "nodev", setting.Value)
		}
	}
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM([]byte(read(t, filepath.Join(root, authorities)))))
}

// The program runs in the image's root as the image's user, sees nothing else, and finds the authorities where it looks.
func TestImageRuns(t *testing.T) {
	root, last := imageRoot(t)
	user := regexp.MustCompile(`^([0-9]+):([0-9]+)$`).FindStringSubmatch(onlyOne(t, last, "USER", ""))
	require.NotNil(t, user)
	uid, err := strconv.ParseUint(user[1], 10, 32)
	require.NoError(t, err)
	gid, err := strconv.ParseUint(user[2], 10, 32)
	require.NoError(t, err)
	require.NotZero(t, uid)
	entry := strings.Trim(onlyOne(t, last, "ENTRYPOINT", ""), `["]`)
	run := func(program string, args ...string) (string, error) {
		cmd := exec.Command(program, args...)
		cmd.Dir, cmd.Env = "/", []string{}
		if os.Geteuid() == 0 {
			user := &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
			cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: user}
		} else { // only root may change the root: others run the program from its place
			cmd.Path = filepath.Join(root, program)
		}
		text, err := cmd.CombinedOutput()
		return string(text), err
	}
	text, err := run(entry, "version")
	require.NoError(t, err, text)
	require.Contains(t, text, "1.2.3")
	require.Contains(t, text, "0123456789ab")
	text, err = run(entry, strings.Trim(onlyOne(t, last, "CMD", ""), `["]`))
	require.NoError(t, err, text)
	require.NotContains(t, text, "embedded engines", "the dev command is not in the image")
	text, err = run(entry, "probe", "https://127.0.0.1:1/")
	require.Error(t, err)
	require.Contains(t, text, "connection refused", "no fault of the program's own")
	_, err = run("/bin/sh", "-c", "true")
	require.ErrorIs(t, err, fs.ErrNotExist, "there is no shell")
}
