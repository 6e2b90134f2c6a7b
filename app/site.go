// Package app assembles the processes: it makes the parts of every room from the settings, passes each part what it needs
// from the others, and runs them. It is the only package that imports every room that a process needs, and it has no
// command line. RunGateway and RunSettle are the processes of a deployment. Dev runs both in one process; the build tag
// nodev leaves Dev out, and nothing else in this package depends on it.
package app

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"regexp"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"flashsale/admin"
	"flashsale/logs"
	"flashsale/recovery"
	"flashsale/scripts"
	"flashsale/settings"
	"flashsale/store"
	"flashsale/tracing"
)

// site is what the roles of one process share: settings, log and stores. The stores need not be up.
type site struct {
	settings *settings.Settings
	log      *slog.Logger
	level    *logs.Level
	flush    func() // of the log, at the end
	db       *store.Store
	redis    *scripts.Redis
	identity *recovery.Identity
	holder   string // the unique name of this process in leases
	registry *prometheus.Registry
	orders   *orderCounts
	shared   bool            // both roles of a process have this site, and the gateway shows what it counts
	tracer   *tracing.Tracer // nil: no spans
	pages    http.Handler    // of the buyers' listener besides its API; nil in production
}

// openSite opens the stores of a process. open opens its database, with spans where the process has a tracer.
func openSite(
	process string, s *settings.Settings, log logs.Log,
	open func(*settings.Settings, *tracing.Tracer, movedOrders) (*store.Store, error), embedded bool,
) (*site, error) {
	holder := newHolder()
	tracer, err := tracing.Open(tracing.Options{
		Process: process, Instance: holder, Version: ThisBuild().Version, Log: log.Logger,
	})
	if err != nil {
		return nil, &settings.Faults{Lines: strings.Split(err.Error(), "\n")}
	}
	orders := newOrderCounts(log)
	db, err := open(s, tracer, orders.moved)
	if err != nil {
		return nil, err
	}
	redis, err := dialRedis(s, embedded)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	registry := newRegistry()
	registry.MustRegister(tracer.Collectors()...)
	return &site{
		settings: s, log: log.Logger, level: log.Level, flush: log.Flush, db: db, redis: redis, registry: registry,
		tracer: tracer, identity: recovery.NewIdentity(redis, db, log.Logger), holder: holder,
		orders: orders, shared: embedded,
	}, nil
}

// newHolder returns host, process id and a random part: a restarted process is another holder, even with the same
// process id.
func newHolder() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	life := make([]byte, 8)
	_, _ = rand.Read(life) // documented never to fail
	return fmt.Sprintf("%.40s/%d/%x", host, os.Getpid(), life)
}

// runtimeMetrics are those of Go's runtime besides the usual ones of a Go process: how long goroutines wait for a processor
// and the world stands still for the garbage collector, as histograms; what the collector takes of the processors; what
// mutexes cost; and the memory by its use. Together they have about 50 series.
var runtimeMetrics = regexp.MustCompile(
	`^/(sched/latencies|sched/pauses/total/gc|cpu/classes/gc/total|cpu/classes/total|sync/mutex/wait/total|memory/classes/.*):`)

// newRegistry returns a registry with the metrics of every process.
func newRegistry() *prometheus.Registry {
	b := ThisBuild()
	registry := prometheus.NewRegistry()
	more := collectors.WithGoCollectorRuntimeMetrics(collectors.GoRuntimeMetricsRule{Matcher: runtimeMetrics})
	registry.MustRegister(admin.NewBuildInfo(b.Version, b.Commit), collectors.NewGoCollector(more),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return registry
}

// newArchiver returns what drops archived sales: the operators' API right after the archive, the settling role later.
func newArchiver(s *site) *recovery.Archiver {
	return recovery.NewArchiver(recovery.ArchiverOptions{
		Redis: s.redis, Archives: s.db, Leases: s.db, Owner: s.holder + "/archiver", Log: s.log,
	})
}

// close closes the connections to the stores. The roles that use them must have ended before.
func (s *site) close() {
	s.tracer.Close()
	s.redis.Close()
	if err := s.db.Close(); err != nil {
		s.log.Warn("the database connections could not be closed", "error", err)
	}
	s.flush()
}
