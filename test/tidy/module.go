package tidy

import (
	"errors"
	"fmt"
	"os/exec"
)

// moduleFindings reports what `go mod tidy` would change in the module of a folder. It needs the modules in the machine's
// cache, else the module proxy.
func moduleFindings(folder string) ([]finding, error) {
	command := exec.Command("go", "mod", "tidy", "-diff")
	command.Dir = folder
	diff, err := command.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && len(diff) == 0 {
		return nil, fmt.Errorf("run %s in %s: %w: %s", command, folder, err, exit.Stderr)
	} else if err != nil && exit == nil {
		return nil, fmt.Errorf("run %s in %s: %w", command, folder, err)
	}
	if len(diff) > 0 {
		return []finding{{"go.mod", "is not tidy, `go mod tidy` would change it:\n" + string(diff)}}, nil
	}
	return nil, nil
}
