package recovery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"flashsale/faults"
	"flashsale/lease"
	"flashsale/role"
	"flashsale/sale"
	"flashsale/scripts"
)

// Archives is what the archiver needs of the database.
type Archives interface {
	// OpenArchives returns the archives of which something may be left in Redis.
	OpenArchives(ctx context.Context) ([]sale.Archive, error)
	// ForgetLists deletes the lists of buyers of an archived sale or of a draft, and returns the number of the last one.
	ForgetLists(ctx context.Context, id string) (int64, error)
	// ArchiveDropped notes that nothing is left of an archived sale but rows.
	ArchiveDropped(ctx context.Context, id string) error
	// DeleteDraft deletes a draft without lists.
	DeleteDraft(ctx context.Context, id string) error
}

// Bounds of the archiver.
const (
	archiveEvery = time.Minute
	archiveAgain = 5 * time.Second  // while an archive is open
	archiveLimit = 10 * time.Minute // of one unit of work
	listsAtOnce  = 1000             // lists that one command deletes
)

// ArchiverOptions are the parts of an Archiver.
type ArchiverOptions struct {
	Redis    *scripts.Redis
	Archives Archives
	Leases   lease.Leases
	Owner    string // of leases, unique to this process
	Log      *slog.Logger
}

// Archiver drops from Redis what it has of archived sales, and the lists of their buyers from the database. The operators' API
// calls it right after the archive; Run finishes what a process that died has left. A sale is archived in the database first, so
// nothing that sells or rebuilds uses the keys any more, and dropping them twice is harmless.
type Archiver struct {
	ArchiverOptions
	left int // archives that the last unit of work has left open; Run alone uses it
}

// NewArchiver returns an archiver.
func NewArchiver(o ArchiverOptions) *Archiver { return &Archiver{ArchiverOptions: o} }

// Run finishes open archives until ctx ends: it looks for them at once and every minute, and every 5 s while one is open.
func (a *Archiver) Run(ctx context.Context) {
	loop := role.Loop{
		Name: "archiver", Unit: a.finish, Rest: a.rest, Limit: archiveLimit,
		Failing: "archived sales could not be dropped from redis", Log: a.Log,
	}
	loop.Run(ctx)
}

func (a *Archiver) rest(time.Duration) time.Duration {
	if a.left > 0 {
		return archiveAgain
	}
	return archiveEvery
}

// finish is one unit of work. When one sale fails it continues with the next. The lease of a process that has died ends by
// itself.
func (a *Archiver) finish(ctx context.Context) error {
	open, err := a.Archives.OpenArchives(ctx)
	if err != nil {
		return err
	}
	var failed []error
	a.left = len(open)
	for i := range open {
		one := lease.Lease{Leases: a.Leases, Name: lease.Sale(open[i].Sale), Owner: a.Owner, Log: a.Log}
		switch err := one.Do(ctx, func(ctx context.Context) error { return a.Drop(ctx, &open[i]) }); {
		case err == nil:
			a.left--
			a.Log.Info("the archive of a sale was finished", "sale", open[i].Sale)
		case !errors.Is(err, sale.ErrLeaseHeld): // the process that has the lease is archiving it
			failed = append(failed, fmt.Errorf("sale %s: %w", open[i].Sale, err))
		}
	}
	return errors.Join(failed...)
}

// Drop deletes everything of an archived sale but its rows: its buckets and lists in Redis, its lists in the database. The caller
// has the sale's lease. It is repeatable, and its error names Redis (sale.Away) where Redis failed.
func (a *Archiver) Drop(ctx context.Context, archive *sale.Archive) error {
	for _, bucket := range archive.BucketNames() {
		if err := a.Redis.DropBucket(ctx, bucket); err != nil {
			return err
		}
		faults.Point("archiver.bucket-dropped")
	}
	if err := a.dropLists(ctx, archive.Sale, archive.Lists); err != nil {
		return err
	}
	if _, err := a.Archives.ForgetLists(ctx, archive.Sale); err != nil {
		return err
	}
	return a.Archives.ArchiveDropped(ctx, archive.Sale)
}

// DropDraft deletes a draft that was never preloaded. Its lists go first, so that a later sale of the same id finds none. The
// caller has the sale's lease.
func (a *Archiver) DropDraft(ctx context.Context, id string) error {
	last, err := a.Archives.ForgetLists(ctx, id)
	if err != nil {
		return err
	}
	if err := a.dropLists(ctx, id, last); err != nil {
		return err
	}
	return a.Archives.DeleteDraft(ctx, id)
}

// dropLists deletes the lists 1 to last of a sale in Redis.
func (a *Archiver) dropLists(ctx context.Context, id string, last int64) error {
	for first := int64(1); first <= max(last, 1); first += listsAtOnce {
		versions := make([]int64, 0, listsAtOnce)
		for version := first; version < first+listsAtOnce && version <= last; version++ {
			versions = append(versions, version)
		}
		if err := a.Redis.DropLists(ctx, id, versions); err != nil {
			return err
		}
		faults.Point("archiver.lists-dropped")
	}
	return nil
}
