package app

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"

	"flashsale/logs"
	"flashsale/settings"
)

// processRole is what a process runs. run returns when ctx has ended and everything is drained, or with the error that ended
// it.
type processRole interface {
	run(ctx context.Context) error
	metrics() prometheus.Gatherer
}

// runProcess opens a site, builds one role on it and runs the role until ctx ends or the role fails.
func runProcess(
	ctx context.Context, name string, s *settings.Settings, log logs.Log, build func(*site) (processRole, error),
) error {
	site, err := openSite(name, s, log, openStore, false)
	if err != nil {
		return err
	}
	defer site.close()
	built, err := build(site)
	if err != nil {
		return err
	}
	defer ignoreHangup(log.Logger)()
	ended := watchEnding(ctx, log.Logger, name, built.metrics())
	err = built.run(ctx)
	ended(err)
	return err
}

// ignoreHangup keeps a process alive when its terminal is closed. It logs only the first SIGHUP, for an operator who
// expects the settings to be read again; log rotation may send one a day. It lasts until the caller calls stop.
func ignoreHangup(log *slog.Logger) (stop func()) {
	hangups, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(hangups, syscall.SIGHUP)
	go func() {
		said := false
		for {
			select {
			case <-hangups:
				if !said {
					said = true
					log.Info("SIGHUP is ignored: settings are read at the start only, and logs go to stderr; " +
						"SIGTERM ends the process")
				}
			case <-done:
				return
			}
		}
	}()
	return func() { signal.Stop(hangups); close(done) }
}
