package admin

import (
	"context"
	"time"

	"flashsale/role"
)

// Bounds of the wait for gateways. A gateway polls for changes every 100 ms and reports the version it sells by after
// each change, and at least every 10 s.
const (
	gatewaysWait  = time.Second           // after it the change is answered anyway
	gatewaysEvery = 20 * time.Millisecond // between two polls
	gatewaySilent = 25 * time.Second      // a gateway that has not reported for this long is ignored
)

// awaitGateways waits until every live gateway sells by the present catalogue, so that a change applies to all buyers
// when it is answered. The change itself is already made: a failure here is logged and is not an error.
func (a *API) awaitGateways(ctx context.Context, saleID string) {
	ctx, cancel := context.WithTimeout(ctx, gatewaysWait)
	defer cancel()
	version, err := a.deps.Gateways.CatalogueVersion(ctx)
	var behind []string
	all := err == nil && role.Until(ctx, role.Always(gatewaysEvery), func() bool {
		var now []string
		if now, err = a.deps.Gateways.GatewaysBehind(ctx, version, gatewaySilent); err == nil {
			behind = now
		}
		return err != nil || len(now) == 0
	})
	if all && err == nil {
		return
	}
	if err == nil {
		err = context.Cause(ctx)
	}
	a.opts.Logger.Warn("gateways may not have applied a change yet", "sale", saleID, "behind", behind, "error", err)
}
