package app

import (
	"log/slog"
	"math"
)

// Descriptors of a gateway beside those of its buyers.
const (
	ownDescriptors   = 1000 // stores, operators, buyers whom the gateway refuses for want of room, files
	leastConnections = 16   // a process with fewer descriptors than ownDescriptors starts all the same
)

// buyersConnections returns how many connections buyers may have: what is wanted, and no more than the process's limit of
// descriptors leaves once the engine's own are taken off. Otherwise buyers could take all of them, and an operator would
// find no room to pause a sale.
func buyersConnections(wanted int, limit uint64) int {
	if limit > math.MaxInt32 { // no limit, or one beyond every setting
		return wanted
	}
	return min(wanted, max(int(limit)-ownDescriptors, leastConnections))
}

// boundConnections returns the bound and logs it, with a warning when it is below what is wanted.
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
