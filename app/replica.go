package app

import (
	"context"
	"errors"

	"flashsale/gateway"
	"flashsale/replica"
	"flashsale/store"
)

// orderReads is where a gateway reads orders for buyers: the database, or a replica of it too.
type orderReads struct {
	reads   gateway.Orders
	cancels gateway.Cancels
	lag     *replica.Lag // nil without a replica
	servers []*store.Store
}

// lagConnections are for looking at the beat alone, so that readers of orders cannot delay it.
const lagConnections = 1

// newOrderReads opens the replica where the settings name one.
func newOrderReads(s *site) (*orderReads, error) {
	second, err := openReplica(s.settings, s.tracer)
	if err != nil || second == nil {
		return &orderReads{reads: s.db, cancels: s.db}, err
	}
	r := &orderReads{servers: []*store.Store{second}}
	var apart [2]*store.Store
	for i, of := range []*store.Store{s.db, second} {
		if apart[i], err = of.Apart(lagConnections); err != nil {
			return nil, errors.Join(err, r.close())
		}
		r.servers = append(r.servers, apart[i])
	}
	r.lag = replica.NewLag(apart[0], apart[1], s.log)
	reads, err := replica.NewReads(replica.Options{Primary: s.db, Replica: second, Lag: r.lag,
		MaxLag: s.settings.MySQL.ReadMaxLag, Registerer: s.registry, Log: s.log})
	if err != nil {
		return nil, errors.Join(err, r.close())
	}
	r.reads, r.cancels = reads, replica.CancelsSeen{Cancels: s.db, Reads: reads}
	return r, nil
}

// run measures the lag of the replica until ctx ends.
func (r *orderReads) run(ctx context.Context) {
	if r.lag != nil {
		r.lag.Run(ctx)
	}
}

func (r *orderReads) close() (err error) {
	for _, server := range r.servers {
		err = errors.Join(err, server.Close())
	}
	return err
}
