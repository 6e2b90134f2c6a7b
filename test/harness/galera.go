package harness

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

const (
	galeraKind    = "galera-10.11"
	galeraNodes   = 3
	stateTransfer = "flashsale"
	// a node that does not answer is given up after two seconds instead of five
	galeraTimes = "evs.keepalive_period=PT0.3S;evs.inactive_check_period=PT0.3S;evs.suspect_timeout=PT2S;" +
		"evs.inactive_timeout=PT4S;evs.install_timeout=PT4S;pc.announce_timeout=PT1S"
)

// newGalera prepares the first node of a Galera cluster, which is started with it and is not the one that tests stop. The
// nodes begin with the same data folder, and a node that was away catches up from another one's cache of writes: no whole
// copy of the data is ever sent.
func newGalera(t testing.TB, kind Kind, further []string) (*MariaDBServer, error) {
	released := releasedProgram{"bookworm", "mariadb-server-core galera-4", "usr/sbin/mariadbd"}
	engine, err := releasedMariaDB(released)
	if err != nil {
		return nil, err
	}
	root, err := released.home()
	if err != nil {
		return nil, err
	}
	provider := filepath.Join(root, "usr/lib/galera/libgalera_smm.so")
	if engine.template, err = galeraTemplate(engine, provider); err != nil {
		return nil, err
	}
	nodes := make([]*MariaDBServer, galeraNodes)
	groups := make([]string, galeraNodes)
	for i := range nodes {
		if nodes[i], err = engine.server(t, kind, further); err != nil {
			return nil, err
		}
		nodes[i].config.Params = map[string]string{"wsrep_sync_wait": "1"} // a read sees what another node has committed
		groups[i] = Address(t)
	}
	path, err := writeStateTransfer(t)
	if err != nil {
		return nil, err
	}
	for i, node := range nodes {
		node.process.env = []string{path}
		node.join(t, provider, groups, i)
	}
	first := nodes[0]
	first.nodes = nodes
	suits := first.verify
	first.verify = func() error { return errors.Join(suits(), first.launchOthers()) }
	t.Cleanup(func() {
		for _, node := range nodes[1:] {
			node.process.end(syscall.SIGKILL)
		}
	})
	return first, nil
}

// stateTransferScript is what Galera runs on both nodes when one catches up. It hands over that writes of the other's cache
// follow, and refuses a whole copy of the data, which would need further programs and, from root, another user.
const stateTransferScript = `#!/bin/sh
while [ $# -gt 0 ]; do
	case "$1" in
	--role) role=$2 ;;
	--address) address=$2 ;;
	--gtid) gtid=$2 ;;
	--bypass) bypass=yes ;;
	esac
	shift
done
port=${address##*:}
note=$(dirname "$0")/${port%%/*}
case "$role" in
joiner)
	rm -f "$note"
	echo "ready $address"
	until [ -s "$note" ]; do sleep 0.05; done
	cat "$note"
	;;
donor)
	[ -n "$bypass" ] || { echo "a whole copy was asked for" >&2; exit 1; }
	echo "$gtid" >"$note.half" && mv "$note.half" "$note"
	echo "done $gtid"
	;;
esac
`

// writeStateTransfer puts the script where Galera finds it, which is on the PATH that it returns.
func writeStateTransfer(t testing.TB) (path string, err error) {
	dir := folder(t, "galera")
	err = os.WriteFile(filepath.Join(dir, "wsrep_sst_"+stateTransfer), []byte(stateTransferScript), 0o755)
	return "PATH=" + dir + ":" + os.Getenv("PATH"), err
}

// join gives the node the arguments of a member of the cluster.
func (s *MariaDBServer) join(t testing.TB, provider string, groups []string, i int) {
	incremental := Address(t)
	alone := s.process.args
	member := append(alone[:len(alone):len(alone)],
		"--wsrep-on=ON", "--wsrep-provider="+provider, "--binlog-format=ROW", "--innodb-autoinc-lock-mode=2",
		"--wsrep-cluster-name=flashsale", "--wsrep-cluster-address=gcomm://"+strings.Join(groups, ","),
		"--wsrep-node-name=node-"+strconv.Itoa(i), "--wsrep-node-address="+groups[i],
		"--wsrep-sst-method="+stateTransfer, "--wsrep-sst-receive-address="+Address(t), "--wsrep-slave-threads=2",
		fmt.Sprintf("--wsrep-provider-options=gmcast.listen_addr=tcp://%s;ist.recv_addr=%s;ist.recv_bind=%s;%s", groups[i],
			incremental, incremental, galeraTimes))
	s.process.args = member
	if i == 0 {
		s.process.args = append(member[:len(member):len(member)], "--wsrep-new-cluster")
	}
	s.ready = s.synced
	s.prepare = func() error {
		position, err := wsrepPosition(s.process.path, member)
		if err == nil {
			s.process.args = append(member[:len(member):len(member)], "--wsrep-start-position="+position)
		}
		return err
	}
}

// galeraTemplate returns a data folder that has been a cluster's: its copies share a history, so that each can be told what
// it lacks.
func galeraTemplate(engine databaseEngine, provider string) (string, error) {
	cache, err := cacheFolder()
	if err != nil {
		return "", err
	}
	template := filepath.Join(cache, galeraKind+"-data")
	return template, once("galera", func() bool { return isFolder(template) }, func() error {
		return build(template, func(dir string) error {
			if err := os.CopyFS(dir, os.DirFS(engine.template)); err != nil {
				return err
			}
			end := dir + ".sql"
			if err := os.WriteFile(end, []byte("SHUTDOWN;\n"), 0o600); err != nil {
				return err
			}
			defer os.Remove(end)
			args := append(engine.command[1:len(engine.command):len(engine.command)], mariaDBOptions...)
			args = append(append(args, asRoot()...), "--datadir="+dir, "--skip-networking", "--socket="+dir+".socket",
				"--init-file="+end, "--wsrep-on=ON", "--wsrep-provider="+provider, "--binlog-format=ROW",
				"--innodb-autoinc-lock-mode=2", "--wsrep-cluster-address=gcomm://", "--wsrep-new-cluster",
				"--wsrep-node-address=127.0.0.1", "--wsrep-provider-options=gmcast.listen_addr=tcp://127.0.0.1:0")
			if err := run(engine.command[0], args...); err != nil {
				return err
			}
			return os.Remove(filepath.Join(dir, "galera.cache"))
		})
	})
}

// synced returns nil when the node takes part in the cluster and has what the others have.
func (s *MariaDBServer) synced() error {
	return s.ask(func(ctx context.Context, db *sql.DB) error {
		var name, state string
		err := db.QueryRowContext(ctx, "SHOW STATUS LIKE 'wsrep_local_state_comment'").Scan(&name, &state)
		if err == nil && state != "Synced" {
			err = fmt.Errorf("the node of Galera is %s", state)
		}
		return err
	})
}

// Nodes returns how many servers the cluster has of which this is the first: 1 for a server without one.
func (s *MariaDBServer) Nodes() int { return max(1, len(s.nodes)) }

// Isolate ends the other nodes of a cluster as kill -9 does, and waits until this one knows that it is a minority. It reports
// whether there were any.
func (s *MariaDBServer) Isolate(t testing.TB) bool {
	t.Helper()
	if s.Nodes() < 2 {
		return false
	}
	for _, node := range s.nodes[1:] {
		node.Kill()
	}
	err := s.process.until(func() error {
		return s.ask(func(ctx context.Context, db *sql.DB) error {
			var name, status string
			err := db.QueryRowContext(ctx, "SHOW STATUS LIKE 'wsrep_cluster_status'").Scan(&name, &status)
			if err == nil && status == "Primary" {
				err = errors.New("the node of Galera has not noticed that it is alone")
			}
			return err
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return true
}

// launchOthers starts the nodes beside the first one, once it runs.
func (s *MariaDBServer) launchOthers() error {
	for _, node := range s.nodes[1:] {
		if node.process.cmd != nil {
			continue // it runs since the first start
		}
		if err := node.launch(); err != nil {
			return err
		}
	}
	return nil
}

var recovered = regexp.MustCompile(`WSREP: Recovered position: (\S+:-?[0-9]+)`)

// wsrepPosition asks a data folder for its last write: a node that was killed does not know it before InnoDB has recovered.
func wsrepPosition(path string, args []string) (string, error) {
	output, err := exec.Command(path, append(args[:len(args):len(args)], "--wsrep-recover")...).CombinedOutput()
	found := recovered.FindSubmatch(output)
	if err != nil || found == nil {
		return "", fmt.Errorf("find the position of the node: %w\n%s", err, Tail(string(output)))
	}
	return string(found[1]), nil
}
