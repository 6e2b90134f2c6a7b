package app

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// The build sets both with -ldflags "-X flashsale/app.version=… -X flashsale/app.commit=…". A build in a checkout knows
// its commit without them.
var (
	version = "dev"
	commit  string
)

// Build identifies a build of the program.
type Build struct{ Version, Commit, Go string }

// String returns the line that the version command prints.
func (b Build) String() string {
	return fmt.Sprintf("flashsale %s, commit %s, %s", b.Version, b.Commit, b.Go)
}

// ThisBuild returns the running build. Commit is "unknown" when neither the linker nor the toolchain recorded it.
func ThisBuild() Build {
	b := Build{Version: version, Commit: "unknown", Go: runtime.Version()}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, setting := range info.Settings {
			if setting.Key == "vcs.revision" {
				b.Commit = setting.Value
			}
		}
	}
	if commit != "" {
		b.Commit = commit
	}
	return b
}
