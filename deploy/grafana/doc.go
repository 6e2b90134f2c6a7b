// Package grafana makes the dashboards in the folder dashboards. `go generate ./deploy/grafana` writes them; a test compares the
// files with what this package makes, and the end-to-end suite asks a real Prometheus each query of each panel.
//
// Every query works on a Prometheus that has classic histograms and on one that has native ones.
package grafana

//go:generate go test -run TestDashboards -args -write
