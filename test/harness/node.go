package harness

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// nodePackage is the version of Node.js that is installed when the machine has none or one too old, as Debian 12 has.
const nodePackage = "22.22.0"

// nodeMachines maps Go's names of processors to those of Node.js.
var nodeMachines = map[string]string{"amd64": "x64", "arm64": "arm64"}

// NodeTools are programs from npm packages, each started by Run.
type NodeTools struct {
	node string
	home string
}

// Node installs what package.json and package-lock.json in the folder manifest name, once for each content of the lock
// file, into the user's cache folder. Install scripts of the packages are not run.
func Node(t testing.TB, manifest string) *NodeTools {
	t.Helper()
	tools, err := nodeTools(manifest)
	if err != nil {
		t.Fatal(err)
	}
	return tools
}

func nodeTools(manifest string) (*NodeTools, error) {
	lock, err := os.ReadFile(filepath.Join(manifest, "package-lock.json"))
	if err != nil {
		return nil, fmt.Errorf("read the pinned packages: %w", err)
	}
	cache, err := cacheFolder()
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(lock)
	home := filepath.Join(cache, "node-tools-"+hex.EncodeToString(sum[:6]))
	fill := func(dir string) error { return fillNodeTools(dir, manifest) }
	if err := once("node", func() bool { return isFolder(home) }, func() error { return build(home, fill) }); err != nil {
		return nil, err
	}
	if node := filepath.Join(home, "runtime", "bin", "node"); isFile(node) {
		return &NodeTools{node, home}, nil
	}
	return &NodeTools{findProgram("node"), home}, nil
}

// fillNodeTools installs the packages, and beside them a Node.js of their own where the machine's would not run them.
func fillNodeTools(dir, manifest string) error {
	for _, name := range []string{"package.json", "package-lock.json"} {
		text, err := os.ReadFile(filepath.Join(manifest, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), text, 0o644)
		}
		if err != nil {
			return fmt.Errorf("copy %s: %w", name, err)
		}
	}
	npm, err := program("npm", "npm", "the PATH so that it holds npm")
	if err != nil {
		return err
	}
	if err := runNPM(npm, dir, "ci"); err != nil || nodeIsNew(findProgram("node")) {
		return err
	}
	machine, known := nodeMachines[runtime.GOARCH]
	if !known || runtime.GOOS != "linux" {
		return errors.New("node is missing or too old: install Node.js " + nodePackage)
	}
	half := filepath.Join(dir, "runtime.half")
	if err := os.MkdirAll(half, 0o755); err != nil {
		return err
	}
	name := "node-linux-" + machine
	if err := runNPM(npm, half, "install", "--no-save", "--prefix", half, name+"@"+nodePackage); err != nil {
		return err
	}
	return os.Rename(filepath.Join(half, "node_modules", name), filepath.Join(dir, "runtime"))
}

func runNPM(npm, dir string, args ...string) error {
	cmd := exec.Command(npm, append(args, "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")...)
	cmd.Dir = dir
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("npm %s: %w\n%s", args[0], err, Tail(string(output)))
	}
	return nil
}

// nodeIsNew reports whether the program runs the packages: they need 20.19 of the even versions, or one after 22.12.
func nodeIsNew(node string) bool {
	if node == "" {
		return false
	}
	version, err := exec.Command(node, "--version").Output()
	if err != nil {
		return false
	}
	var major, minor int
	if _, err := fmt.Sscanf(string(version), "v%d.%d", &major, &minor); err != nil {
		return false
	}
	return major == 20 && minor >= 19 || major == 22 && minor >= 12 || major > 22
}

// Run runs one program of the packages in the module's folder and returns what it wrote to stdout and its exit code. Update
// checks and telemetry are off.
func (n *NodeTools) Run(t testing.TB, program string, args ...string) (stdout string, code int) {
	t.Helper()
	cmd := exec.Command(n.node, append([]string{filepath.Join(n.home, "node_modules", ".bin", program)}, args...)...)
	cmd.Dir = Root(t)
	cmd.Env = append(os.Environ(), "CI=true", "NO_COLOR=1", "REDOCLY_TELEMETRY=off", "REDOCLY_SUPPRESS_UPDATE_NOTICE=true",
		"SCARF_ANALYTICS=false", "DO_NOT_TRACK=1")
	var errors strings.Builder
	cmd.Stderr = &errors
	output, err := cmd.Output()
	if err != nil && cmd.ProcessState == nil {
		t.Fatalf("run %s: %v", program, err)
	}
	if code := cmd.ProcessState.ExitCode(); code > 1 || code < 0 {
		t.Fatalf("%s ended with %d\n%s%s", program, code, Tail(string(output)), Tail(errors.String()))
	}
	return string(output), cmd.ProcessState.ExitCode()
}

// File returns the content of a file of the packages, by its path below node_modules.
func (n *NodeTools) File(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(n.home, "node_modules", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return text
}
