package gateway

import (
	"hash/maphash"
	"sync/atomic"
)

// grantCache caches verified tokens in a table of fixed size, without locks: a token has one slot, and a newer token replaces
// the one in it. If two tokens share a slot, the gateway verifies them more often.
//
// The cache stores a token at its second use. Most buyers of a crowd send theirs once, and storing all of them would be the
// larger part of a gateway's memory and garbage collection.
type grantCache struct {
	seed  maphash.Seed
	slots []grantSlot
}

// grantSlot is one slot of the cache.
type grantSlot struct {
	kept atomic.Pointer[kept]
	seen atomic.Uint64 // hash of the last token with its first use
}

// kept is a cached grant and its token.
type kept struct {
	grant
	buyer string
	token string
}

// newGrantCache returns a cache of size slots, rounded up to a power of two.
func newGrantCache(size int) grantCache {
	slots := 1
	for slots < size {
		slots <<= 1
	}
	return grantCache{seed: maphash.MakeSeed(), slots: make([]grantSlot, slots)}
}

// at returns the slot of a token, and the token's hash.
func (c *grantCache) at(token []byte) (*grantSlot, uint64) {
	hash := maphash.Bytes(c.seed, token)
	return &c.slots[hash&uint64(len(c.slots)-1)], hash
}

// find returns the grant of the token, or nil if the slot has another one.
func (s *grantSlot) find(token []byte) *kept {
	if k := s.kept.Load(); k != nil && k.token == string(token) {
		return k
	}
	return nil
}

// add stores the grant at the second use of a token, and notes the hash at the first. If two tokens share a hash, add stores
// one of them too early, which does no harm.
func (s *grantSlot) add(token []byte, hash uint64, g grant, who *buyerID) {
	if s.seen.Load() == hash {
		who.kept = who.String()
		s.kept.Store(&kept{grant: g, buyer: who.kept, token: string(token)})
		return
	}
	s.seen.Store(hash)
}
