package admin

import (
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"

	"flashsale/access"
	"flashsale/sale"
	"flashsale/tracing"
)

// Probes is the listener of a process without an API of its own: /metrics, /livez and /readyz, and for operators the process's
// profiles and the level of its log.
type Probes struct {
	*door
	*stopper
	mux *http.ServeMux
}

// ProbesOptions are the parts of a Probes.
type ProbesOptions struct {
	Gatherer   prometheus.Gatherer
	Registerer prometheus.Registerer    // nil: wrong tokens are not counted
	Ready      func() map[string]string // what the process still waits for; empty: the process is ready
	ClockAhead ClockAhead
	Stores     *StoreWatch // shown by /readyz; nil: none is
	Tokens     []access.Token
	LogLevel   LogLevel        // nil: the process has no routes for it
	Process    string          // the name of this process
	Tracer     *tracing.Tracer // nil: no spans
	Notes      Notes           // nil: refusals are not written into the trail
	Logger     *slog.Logger
}

// NewProbes builds the handler. Serve it with NewServer.
func NewProbes(o ProbesOptions) *Probes {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	p := &Probes{
		door: &door{
			people: access.NewTokens(o.Tokens), strangers: newStrangers(o.Registerer, o.Logger), notes: o.Notes,
			bodyLimit: bodyLimit, process: o.Process, tracer: o.Tracer, log: o.Logger,
		},
		stopper: newStopper(), mux: http.NewServeMux(),
	}
	routes := []route{
		{http.MethodGet, "/metrics", public, "", false, serveMetrics(o.Gatherer)},
		{http.MethodGet, "/livez", public, "", false, serveLive},
		{http.MethodGet, "/readyz", public, "", false, serveReady(o.Ready, o.ClockAhead, o.Stores)},
		{http.MethodGet, profilePath, moves, "", false, p.serveProfile},
	}
	if o.LogLevel != nil {
		levels := &logLevels{p.door, o.LogLevel}
		routes = append(routes, route{http.MethodGet, logLevelPath, reads, "", false, levels.get},
			route{http.MethodPut, logLevelPath, decides, sale.VerbLogLevel, false, levels.put})
	}
	for _, route := range routes {
		p.mux.Handle(route.method+" "+route.path, p.serve(route))
	}
	return p
}

// ServeHTTP answers one request.
func (p *Probes) ServeHTTP(w http.ResponseWriter, r *http.Request) { serveKnown(p.mux, w, r) }

// NewBuildInfo is the gauge flashsale_build_info, always 1.
func NewBuildInfo(version, commit string) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name:        "flashsale_build_info",
		Help:        "1, with the version and commit of the binary.",
		ConstLabels: prometheus.Labels{"version": version, "commit": commit},
	}, func() float64 { return 1 })
}

// serveMetrics gathers before it answers, so that a collector's error becomes a problem and not a truncated page. The scraper
// chooses the format: OpenMetrics text has exemplars, and the protocol buffers also have native histograms.
func serveMetrics(gatherer prometheus.Gatherer) func(*call) error {
	return func(c *call) error {
		families, err := gatherer.Gather()
		if err != nil {
			return fmt.Errorf("gather metrics: %w", err)
		}
		page := prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { return families, nil })
		promhttp.HandlerFor(page, promhttp.HandlerOpts{EnableOpenMetrics: true}).ServeHTTP(c.w, c.r)
		return nil
	}
}

func serveLive(c *call) error { return c.answer(http.StatusOK, map[string]string{"status": "live"}) }

// ClockAhead returns how far the process's clock is ahead of Redis's and whether that is known. A nil ClockAhead is
// never known.
type ClockAhead func() (ahead time.Duration, known bool)

// serveReady answers with what the process still waits for, with the distance between its clock and Redis's, and with the stores
// that it uses. A store that goes away later does not make the process unready: the stores show it, and purchases report it.
func serveReady(ready func() map[string]string, clock ClockAhead, stores *StoreWatch) func(*call) error {
	return func(c *call) error {
		details := map[string]any{}
		if all := stores.dependencies(); len(all) > 0 {
			details["dependencies"] = all
		}
		if clock != nil {
			if ahead, known := clock(); known {
				details["clock_ahead_ms"] = ahead.Milliseconds()
			}
		}
		checks := ready()
		if len(checks) == 0 {
			details["status"], details["checks"] = "ready", map[string]string{}
			return c.answer(http.StatusOK, details)
		}
		members := []sale.Member{{Name: "checks", Value: checks}}
		for name, value := range details {
			members = append(members, sale.Member{Name: name, Value: value})
		}
		return sale.ProblemOf(sale.OutcomeUnavailable, "the process is not ready", members...)
	}
}
