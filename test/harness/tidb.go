package harness

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// tidbVersion is a version of TiDB's Go module, which has a version of its parser beside it. Its tags are no versions of Go's.
const tidbVersion = "20251126154744-e4e814fdc0af"

// tidbModule is the module in which TiDB is built: it repeats what TiDB's own go.mod replaces.
const tidbModule = `module tidb

go 1.26

require github.com/pingcap/tidb v1.1.0-beta.0.%[1]s

replace (
	github.com/go-ldap/ldap/v3 => github.com/YangKeao/ldap/v3 v3.4.5-0.20230421065457-369a3bab1117
	github.com/pingcap/tidb/pkg/parser => github.com/pingcap/tidb/pkg/parser v0.0.0-%[1]s
	sourcegraph.com/sourcegraph/appdash => github.com/sourcegraph/appdash v0.0.0-20190731080439-ebfcffb1b5c0
	sourcegraph.com/sourcegraph/appdash-data => github.com/sourcegraph/appdash-data v0.0.0-20151005221446-73f23eafcf67
)
`

// builtTiDB is a TiDB of one process. It is compiled at the first use, which takes two cores about seven minutes.
func builtTiDB() (databaseEngine, error) {
	cache, err := cacheFolder()
	if err != nil {
		return databaseEngine{}, err
	}
	home := filepath.Join(cache, "tidb-"+tidbVersion)
	if err := once("tidb", func() bool { return isFolder(home) }, func() error { return build(home, buildTiDB) }); err != nil {
		return databaseEngine{}, fmt.Errorf("build TiDB: %w", err)
	}
	return databaseEngine{
		name: "tidb", command: []string{filepath.Join(home, "tidb-server")}, options: tidbArguments,
		ready: "SET GLOBAL tidb_enable_check_constraint = 1", readOnly: "tidb_super_read_only",
	}, nil
}

func buildTiDB(dir string) error {
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), fmt.Appendf(nil, tidbModule, tidbVersion), 0o600); err != nil {
		return err
	}
	return run("nice", "go", "build", "-C", dir, "-mod=mod", "-trimpath", "-ldflags=-s -w", "-o", "tidb-server",
		"github.com/pingcap/tidb/cmd/tidb-server")
}

// tidbArguments name no socket, because TiDB's default one is the same for every server of the machine.
func tidbArguments(s *MariaDBServer, port int) []string {
	return []string{
		"-store", "unistore", "-path", s.data(), "-host", "127.0.0.1", "-P", strconv.Itoa(port), "-socket", "",
		"-report-status=false", "-temp-dir", s.scratch(), "-L", "warn",
	}
}
