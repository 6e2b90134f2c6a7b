package harness

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// GoModule returns the folder with the files of a module that is no dependency of this one, such as
// "sigs.k8s.io/gateway-api@v1.6.0": definitions that a test reads. Go keeps them in its module cache.
func GoModule(t testing.TB, at string) string {
	t.Helper()
	cmd := exec.Command("go", "mod", "download", "-json", at)
	cmd.Dir = t.TempDir() // outside any module
	output, err := cmd.Output()
	var module struct{ Dir, Error string }
	if fault := json.Unmarshal(output, &module); fault != nil || module.Error != "" || module.Dir == "" {
		t.Fatalf("download the module %s: %v %s", at, errors.Join(err, fault), module.Error)
	}
	return module.Dir
}

// GoTool returns the path of a program that is no dependency of this module, such as "helm.sh/helm/v4/cmd/helm@v4.3.1",
// building it into the cache at the first use, which may take minutes.
func GoTool(t testing.TB, at string) string {
	t.Helper()
	path, err := goTool(at)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func goTool(at string) (string, error) {
	module, version, pinned := strings.Cut(at, "@")
	if !pinned {
		return "", fmt.Errorf("%s names no version", at)
	}
	cache, err := cacheFolder()
	if err != nil {
		return "", err
	}
	name := filepath.Base(module)
	home := filepath.Join(cache, "go-tool-"+name+"-"+version)
	install := func(dir string) error {
		cmd := exec.Command("go", "install", at)
		cmd.Dir = os.TempDir() // outside any module
		cmd.Env = append(os.Environ(), "GOBIN="+dir, "CGO_ENABLED=0")
		if output, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("go install %s: %w\n%s", at, err, Tail(string(output)))
		}
		return nil
	}
	if err := once("go-tool", func() bool { return isFolder(home) }, func() error { return build(home, install) }); err != nil {
		return "", err
	}
	return filepath.Join(home, name), nil
}
