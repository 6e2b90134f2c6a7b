package reserve

import "flashsale/sale"

// A batch mixes SKUs and orders of one or several lines. It has at most BatchMaxOrders purchases and sale.MaxRecordLines lines,
// because it becomes one record; it ends before the purchase that would exceed a bound.

// sameTerms reports whether two purchases of a bucket may share a batch.
func sameTerms(a, b *request) bool {
	return a.purchase.Epoch == b.purchase.Epoch && a.purchase.Grief == b.purchase.Grief &&
		a.purchase.ListVersion == b.purchase.ListVersion && a.purchase.ListSize == b.purchase.ListSize
}

// fits reports whether a batch of so many lines may get another purchase.
func (q *bucketQueue) fits(batch []*request, lines int, r *request) bool {
	return len(batch) == 0 || (len(batch) < q.engine.BatchMaxOrders &&
		lines+len(r.purchase.Lines) <= sale.MaxRecordLines && sameTerms(batch[0], r))
}

// batchSize returns how many purchases fill a batch: BatchMaxOrders, or fewer when the waiting purchases have so many lines, in
// the mean, that the bound of lines is reached first. The caller holds the lock.
func (q *bucketQueue) batchSize() int {
	if q.pendingLines == 0 {
		return q.engine.BatchMaxOrders
	}
	return min(q.engine.BatchMaxOrders, max(1, sale.MaxRecordLines*len(q.pending)/q.pendingLines))
}
