package app

import (
	"log/slog"
	"math"
)

// File descriptors of a gateway that buyers' connections must leave free.
const (
	ownDescriptors   = 1000 // for stores, operators, buyers refused for lack of room, and files
	leastConnections = 16   // minimum for a process with fewer descriptors than ownDescriptors
)

// DescriptorLimit returns how many files a process of this user may have open; the largest value where there is no limit.
func DescriptorLimit() uint64 { return descriptorLimit() }

// buyersConnections returns how many connections buyers may have: the wanted number, but at most the process's
// descriptor limit less the engine's own descriptors. Without this bound buyers could use all descriptors, and an
// operator could not connect to pause a sale.
func buyersConnections(wanted int, limit uint64) int {
	if limit > math.MaxInt32 { // unlimited, or a limit beyond every setting
		return wanted
	}
	return min(wanted, max(int(limit)-ownDescriptors, leastConnections))
}

// boundConnections returns the bound and logs it, with a warning when it is below the wanted number.
func boundConnections(log *slog.Logger, wanted int) int {
	limit := descriptorLimit()
	bound := buyersConnections(wanted, limit)
	log.Info("buyers' connections are bounded", "connections", bound, "descriptors", limit)
	if bound < wanted {
		log.Warn(
			"too few descriptors for gateway.max_connections: raise the process's limit of open files (ulimit -n, LimitNOFILE)",
			"max_connections", wanted, "connections", bound, "descriptors", limit, "needed", wanted+ownDescriptors)
	}
	return bound
}
