package audit

import (
	"fmt"
	"hash/maphash"
	"sync"
)

// drawerBits: words has so many bits' worth of drawers, each with a lock of its own.
const drawerBits = 6

// words gives every distinct text one number, so that orders of three stores are compared as numbers and each buyer, key and
// basket is in memory once. Equal texts have equal numbers and different texts have different ones; the empty text is 0. Several
// goroutines may use it at once.
type words struct {
	seed    maphash.Seed
	drawers [1 << drawerBits]drawer
}

// drawer has the texts whose hashes begin with its number.
type drawer struct {
	lock  sync.Mutex
	slots []uint64 // linear probing; 32 bits of the hash, then the place of the text from 1; 0: free
	texts []byte   // one text after the other
	ends  []uint64 // of each text in texts
}

func newWords() *words { return &words{seed: maphash.MakeSeed()} }

// number returns the number of a text, a new one at its first use.
func (w *words) number(text []byte) uint32 { return numberOf(w, maphash.Bytes(w.seed, text), text) }

// numberOf is number for a string.
func (w *words) numberOf(text string) uint32 { return numberOf(w, maphash.String(w.seed, text), text) }

func numberOf[T string | []byte](w *words, hash uint64, text T) uint32 {
	if len(text) == 0 {
		return 0
	}
	which := uint32(hash >> (64 - drawerBits))
	d := &w.drawers[which]
	d.lock.Lock()
	place := placeOf(d, uint32(hash), text)
	d.lock.Unlock()
	if place > 1<<(32-drawerBits)-1 {
		panic(fmt.Sprintf("drawer %d has %d texts: numbers have 32 bits", which, place)) // 4 billion texts fill any memory before
	}
	return place<<drawerBits | which
}

// placeOf returns the place of a text in the drawer, from 1.
func placeOf[T string | []byte](d *drawer, tag uint32, text T) uint32 {
	if 4*len(d.ends) >= 3*len(d.slots) {
		d.grow()
	}
	mask := uint32(len(d.slots) - 1)
	for at := tag & mask; ; at = (at + 1) & mask {
		slot := d.slots[at]
		if slot == 0 {
			d.texts = append(d.texts, text...)
			d.ends = append(d.ends, uint64(len(d.texts)))
			place := uint32(len(d.ends))
			d.slots[at] = uint64(tag)<<32 | uint64(place)
			return place
		}
		if uint32(slot>>32) == tag && string(d.at(uint32(slot))) == string(text) {
			return uint32(slot)
		}
	}
}

// grow doubles the slots. The tags are enough to place the texts anew.
func (d *drawer) grow() {
	old := d.slots
	d.slots = make([]uint64, max(16, 2*len(old)))
	mask := uint32(len(d.slots) - 1)
	for _, slot := range old {
		if slot == 0 {
			continue
		}
		at := uint32(slot>>32) & mask
		for d.slots[at] != 0 {
			at = (at + 1) & mask
		}
		d.slots[at] = slot
	}
}

// at returns the text at a place; the caller must not change it.
func (d *drawer) at(place uint32) []byte {
	begin := uint64(0)
	if place > 1 {
		begin = d.ends[place-2]
	}
	return d.texts[begin:d.ends[place-1]]
}

// text returns the text of a number.
func (w *words) text(number uint32) string {
	if number == 0 {
		return ""
	}
	d := &w.drawers[number&(1<<drawerBits-1)]
	d.lock.Lock()
	defer d.lock.Unlock()
	return string(d.at(number >> drawerBits))
}
