// Package series counts what happens to sales, as a counter with the labels of the sale and of the kind, such as an outcome. The
// number of series is bounded: the busiest MaxSales sales have series of their own, and all others share the series of the sale
// Other. Counting is one atomic add, without a lock, a look-up of labels or an allocation.
//
// No series ever goes backwards, and each count is in one series alone:
//
//   - A sale that gets series begins them at 0. What it has counted before stays in the series of Other.
//   - A sale that loses its series is counted by Other from then on. Its series stay for lingers, so that a scrape reads their
//     last values, and then end.
//   - When such a sale gets series again, they continue from their last values.
//   - What a forgotten sale has added to Other stays there.
package series
