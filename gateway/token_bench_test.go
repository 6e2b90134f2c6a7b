package gateway

import (
	"fmt"
	"testing"
)

// BenchmarkToken is what a token costs: verified at its first and second coming, found in the cache from the third on, and
// in a crowd in which nobody comes twice.
func BenchmarkToken(b *testing.B) {
	for _, c := range []struct {
		name   string
		buyers int
	}{{"seen_before", 1}, {"of_its_own", 1 << 18}} {
		b.Run(c.name, func(b *testing.B) {
			t := tokensWith(b, func(o *Options) { o.TokenCache = 1 << 16 })
			all := make([][]byte, c.buyers)
			for i := range all {
				all[i] = []byte(tokenOf(fmt.Sprintf("0191f2a4-7c3e-7d90-b1aa-%012d", i)))
			}
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				if _, ok := t.buyer(all[n%len(all)], noon); !ok {
					b.Fatal("refused")
				}
				n++
			}
		})
	}
}
