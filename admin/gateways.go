package admin

import (
	"context"
	"time"

	"flashsale/role"
)

// Bounds of the wait for gateways. They look for changes every 100 ms and leave word of them, and every 10 s anyway.
const (
	gatewaysWait  = time.Second           // then the change is answered all the same
	gatewaysEvery = 20 * time.Millisecond // between two questions
	gatewaySilent = 25 * time.Second      // a gateway that nobody has heard of for so long is not waited for
)

// awaitGateways waits until every gateway that lives sells by what the catalogue says now, so that a change holds for buyers
// when its answer is out. A change is made by then: what goes wrong here is logged and no error.
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
	a.opts.Logger.Warn("gateways may not know of a change yet", "sale", saleID, "behind", behind, "error", err)
}
