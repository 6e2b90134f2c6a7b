#!/usr/bin/env bash
# Prometheus 2.42.0 with client_golang 1.25.0: the same metric is stored under other labels when the process begins to offer
# OpenMetrics, and loses its classic buckets when Prometheus begins to ingest native histograms.
#
# EnableOpenMetrics of promhttp adds a format, and Prometheus chooses it without being told. OpenMetrics writes `le` and
# `quantile` as floats, so that `le="1"` of the text becomes `le="1.0"`: another series, which a rule or a panel that names
# `le="1"` does not find. With the feature native-histograms, Prometheus scrapes protocol buffers and keeps the native form
# alone of a histogram that has both; later versions have a setting that keeps both.
source "$(dirname "$0")/lib.sh"
BASE=$(port 3)
go_program github.com/prometheus/client_golang@v1.25.0 <<'GO'
package main

import (
	"net/http"
	"os"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

func main() {
	registry := prometheus.NewRegistry()
	durations := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "durations", Buckets: []float64{1}, NativeHistogramBucketFactor: 1.1,
	})
	registry.MustRegister(durations)
	durations.Observe(0.5)
	http.Handle("/text", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	http.Handle("/open", promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: true}))
	panic(http.ListenAndServe(os.Args[1], nil))
}
GO
debian bookworm prometheus
"$FOLDER/program" "127.0.0.1:$BASE" 2>"$FOLDER/err" &
STARTED+=($!)
cat >"$FOLDER/prometheus.yaml" <<END
global: {scrape_interval: 1s}
scrape_configs:
- {job_name: text, metrics_path: /text, static_configs: [{targets: ["127.0.0.1:$BASE"]}]}
- {job_name: open, metrics_path: /open, static_configs: [{targets: ["127.0.0.1:$BASE"]}]}
END
# serve PORT FLAG…: a Prometheus that scrapes both.
serve() {
	(within bookworm prometheus --config.file="$FOLDER/prometheus.yaml" --storage.tsdb.path="$FOLDER/data-$1" \
		--web.listen-address="127.0.0.1:$1" "${@:2}" >"$FOLDER/log-$1" 2>&1) &
	STARTED+=($!)
}
serve $((BASE + 1))
serve $((BASE + 2)) --enable-feature=native-histograms
# series PORT SELECTOR: how many series a selector finds, once both jobs were scraped.
series() {
	python3 - "$1" "$2" <<-'PYTHON'
		import json, sys, time, urllib.parse, urllib.request
		def ask(query):
		    url = f"http://127.0.0.1:{sys.argv[1]}/api/v1/query?query=" + urllib.parse.quote(query)
		    try: return len(json.load(urllib.request.urlopen(url, timeout=2))["data"]["result"])
		    except OSError: return 0
		for _ in range(300):
		    if ask("up == 1") == 2 and ask('{__name__=~"durations.*"}') > 1: break
		    time.sleep(0.1)
		else: sys.exit("Prometheus has scraped nothing")
		print(ask(sys.argv[2]))
	PYTHON
}
still 'series of the text format with le="1"' "$(series $((BASE + 1)) 'durations_bucket{job="text",le="1"}')" "1"
still 'series with le="1" once OpenMetrics is offered' "$(series $((BASE + 1)) 'durations_bucket{job="open",le="1"}')" "0"
still 'series with le="1.0" once OpenMetrics is offered' "$(series $((BASE + 1)) 'durations_bucket{job="open",le="1.0"}')" "1"
still 'classic buckets where native histograms are ingested' "$(series $((BASE + 2)) 'durations_bucket')" "0"
still 'native histograms there' "$(series $((BASE + 2)) 'durations')" "2"
