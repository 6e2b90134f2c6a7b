package gateway

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// BenchmarkToken is the cost of a token: verified at its first and second use, cached from the third on, and in a crowd in
// which each token is used once; with the header of identity providers and with the shortest one.
func BenchmarkToken(b *testing.B) {
	const withKeyID, plain = `{"alg":"HS256","kid":"2026-11","typ":"JWT"}`, `{"alg":"HS256"}`
	for _, c := range []struct {
		name, header string
		buyers       int
	}{{"seen_before", withKeyID, 1}, {"of_its_own", withKeyID, 1 << 18}, {"of_its_own_without_key_id", plain, 1 << 18}} {
		b.Run(c.name, func(b *testing.B) {
			t := tokensWith(b, func(o *Options) { o.TokenCache = 1 << 16 })
			all := make([][]byte, c.buyers)
			for i := range all {
				claims := fmt.Sprintf(`{"sub":"0191f2a4-7c3e-7d90-b1aa-%012d","exp":%d}`, i, noon.Add(time.Hour).Unix())
				all[i] = []byte(signAs(secret, c.header, claims))
			}
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				if _, fault := t.buyer(all[n%len(all)], noon); fault != 0 {
					b.Fatal("refused")
				}
				n++
			}
		})
	}
}

// BenchmarkForgedToken is the cost of a token with an invalid signature, a usual one and one with very many members.
func BenchmarkForgedToken(b *testing.B) {
	other := []byte("another secret of thirty-two byte")
	claims := claimsAt(noon.Add(time.Minute))
	many := "{" + strings.Repeat(`"m":[{}],`, 300) + claims[1:]
	for name, token := range map[string]string{"usual": sign(other, claims), "members": sign(other, many)} {
		b.Run(name, func(b *testing.B) {
			t, forged := tokensWith(b), []byte(token)
			b.ReportAllocs()
			for b.Loop() {
				if _, fault := t.buyer(forged, noon); fault == 0 {
					b.Fatal("believed")
				}
			}
		})
	}
}
