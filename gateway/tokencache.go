package gateway

import (
	"hash/maphash"
	"sync/atomic"
)

// grantCache remembers verified tokens in a table of fixed size: a token has one slot, and a newer token takes it. No
// lock, no growth, no sweep. Two tokens that share a slot only cost verifications.
//
// A token is remembered when it is sent for the second time: nearly every buyer of a crowd sends it once, and what is kept of him
// would be the larger part of a gateway's memory and of its garbage collection.
type grantCache struct {
	seed  maphash.Seed
	slots []grantSlot
}

// grantSlot is one slot of the cache.
type grantSlot struct {
	kept atomic.Pointer[kept]
	seen atomic.Uint64 // hash of the token that came here last and was not kept
}

// kept is a remembered grant and its token.
type kept struct {
	grant
	buyer string
	token string
}

// newGrantCache makes room for at least size tokens, rounded up to a power of two.
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

// find returns the grant of this very token, or nil.
func (s *grantSlot) find(token []byte) *kept {
	if k := s.kept.Load(); k != nil && k.token == string(token) {
		return k
	}
	return nil
}

// add keeps the grant of a token that has been here before, and otherwise notes that it was here. A hash that another token
// shares only keeps one token too early.
func (s *grantSlot) add(token []byte, hash uint64, g grant, who *buyerID) {
	if s.seen.Load() == hash {
		who.kept = who.String()
		s.kept.Store(&kept{grant: g, buyer: who.kept, token: string(token)})
		return
	}
	s.seen.Store(hash)
}
