package gateway

import (
	"hash/maphash"
	"sync/atomic"
)

// grantCache remembers verified tokens in a table of fixed size: a token has one place, and a newer token takes it. No
// lock, no growth, no sweep. Two tokens that share a place only cost verifications.
type grantCache struct {
	seed  maphash.Seed
	slots []atomic.Pointer[grant]
}

// newGrantCache makes room for at least size tokens, rounded up to a power of two.
func newGrantCache(size int) grantCache {
	slots := 1
	for slots < size {
		slots <<= 1
	}
	return grantCache{seed: maphash.MakeSeed(), slots: make([]atomic.Pointer[grant], slots)}
}

// find returns the grant of this very token, or nil and the place where it belongs.
func (c *grantCache) find(token []byte) (*grant, *atomic.Pointer[grant]) {
	slot := &c.slots[maphash.Bytes(c.seed, token)&uint64(len(c.slots)-1)]
	if g := slot.Load(); g != nil && g.token == string(token) {
		return g, slot
	}
	return nil, slot
}
