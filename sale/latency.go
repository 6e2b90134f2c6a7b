package sale

import "slices"

// latencyBounds, in seconds, range from a refusal, which takes microseconds, to the longest wait for an order.
var latencyBounds = [...]float64{
	.00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30,
}

// LatencyBounds returns the upper bounds of the buckets of every histogram of request times, in seconds.
func LatencyBounds() []float64 { return slices.Clone(latencyBounds[:]) }

// LatencyBuckets is the number of buckets of a Latency: one for each bound, and one for what is longer.
const LatencyBuckets = len(latencyBounds) + 1

// Latency counts requests by the time that they took, a count for each of LatencyBuckets. It is empty when nothing was counted.
type Latency []int64

// Add returns the sum of two histograms. A histogram of other buckets, from a process of another version, is left out.
func (l Latency) Add(o Latency) Latency {
	if len(o) != LatencyBuckets {
		return l
	}
	if len(l) != LatencyBuckets {
		return slices.Clone(o)
	}
	sum := slices.Clone(l)
	for i := range o {
		sum[i] += o[i]
	}
	return sum
}

// Since returns what was counted after an earlier reading of the same histogram, all of it when the histogram has begun anew.
func (l Latency) Since(earlier Latency) Latency {
	if len(earlier) != len(l) {
		return l
	}
	rest := slices.Clone(l)
	for i := range rest {
		if rest[i] -= earlier[i]; rest[i] < 0 {
			return l
		}
	}
	return rest
}

// QuantileMS estimates a quantile, from 0 to 1, in milliseconds; it is unknown without a request. Within a bucket the requests
// are taken to be spread evenly, so the estimate is a linear interpolation between the bounds, as in Prometheus's
// histogram_quantile: https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile. The lowest bucket
// begins at 0; a quantile beyond the highest bound is that bound.
func (l Latency) QuantileMS(q float64) Number {
	if len(l) != LatencyBuckets {
		return Unknown()
	}
	total := int64(0)
	for _, n := range l {
		total += n
	}
	if total == 0 {
		return Unknown()
	}
	rank, below := q*float64(total), 0.0
	lower := 0.0
	for i, upper := range latencyBounds {
		if n := float64(l[i]); n > 0 && below+n >= rank {
			return Number(1000 * (lower + (upper-lower)*(rank-below)/n))
		}
		below += float64(l[i])
		lower = upper
	}
	return Number(1000 * lower)
}
