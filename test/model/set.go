package protocol

import (
	"math/bits"
	"unsafe"
)

// hash mixes the memory of a state. A State has only single bytes, so its memory is its value.
func hash(t *State) uint64 {
	memory := unsafe.Slice((*byte)(unsafe.Pointer(t)), unsafe.Sizeof(*t))
	h := uint64(0x9E3779B97F4A7C15)
	i := 0
	for ; i+8 <= len(memory); i += 8 {
		word := *(*uint64)(unsafe.Pointer(&memory[i]))
		high, low := bits.Mul64(h^word, 0xA0761D6478BD642F^uint64(i)*0x9E3779B97F4A7C15)
		h = high ^ low ^ word
	}
	for ; i < len(memory); i++ {
		h = (h ^ uint64(memory[i])) * 0x100000001B3
	}
	high, low := bits.Mul64(h, 0xE7037ED1A0B428DB)
	return high ^ low
}

// set numbers hashes, by open addressing. Two states of one hash would be taken for one: with 10 million states that has
// a chance of about 1 in 400,000.
type set struct {
	places  []uint64
	numbers []uint32
	count   int
}

func newSet() *set { return newSetOf(1 << 14) }

func newSetOf(places int) *set {
	return &set{places: make([]uint64, places), numbers: make([]uint32, places)}
}

// add gives a new hash a number, and returns the number that the hash has and whether it is new.
func (s *set) add(h uint64, number uint32) (uint32, bool) {
	if s.count*10 > len(s.places)*6 {
		s.grow()
	}
	h = max(h, 1)
	mask := uint64(len(s.places) - 1)
	at := h & mask
	for ; s.places[at] != 0; at = (at + 1) & mask {
		if s.places[at] == h {
			return s.numbers[at], false
		}
	}
	s.places[at], s.numbers[at] = h, number
	s.count++
	return number, true
}

func (s *set) grow() {
	larger := newSetOf(4 * len(s.places))
	for i, h := range s.places {
		if h != 0 {
			larger.add(h, s.numbers[i])
		}
	}
	*s = *larger
}
