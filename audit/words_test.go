package audit

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// Equal texts have one number, different ones have different numbers, and each number gives its text back.
func TestWordsAreNumbered(t *testing.T) {
	w := newWords()
	require.Zero(t, w.number(nil))
	require.Empty(t, w.text(0))
	numbers := map[uint32]string{}
	for n := range 50_000 {
		text := fmt.Sprint("buyer-", n)
		number := w.numberOf(text)
		if other, taken := numbers[number]; taken {
			require.Fail(t, "two texts have one number", "%s and %s", other, text)
		}
		numbers[number] = text
	}
	for number, text := range numbers {
		if number != w.number([]byte(text)) || text != w.text(number) {
			require.Fail(t, "a text has another number from bytes, or its number another text", text)
		}
	}
}

// Two texts with the same tag stay two.
func TestWordsWithTheSameTag(t *testing.T) {
	d := &drawer{}
	ann, bob := placeOf(d, 7, "ann"), placeOf(d, 7, "bob")
	require.NotEqual(t, ann, bob)
	for n := range 100 { // the drawer grows
		placeOf(d, 7, fmt.Sprint(n))
	}
	require.Equal(t, ann, placeOf(d, 7, "ann"))
	require.Equal(t, bob, placeOf(d, 7, []byte("bob")))
	require.Equal(t, "bob", string(d.at(bob)))
}

// Three readers that see the same buyers at the same time get the same numbers.
func TestWordsOfSeveralReaders(t *testing.T) {
	w := newWords()
	const texts = 5000
	read := make([][texts]uint32, 3)
	var running sync.WaitGroup
	for reader := range read {
		running.Go(func() {
			for _, n := range rand.Perm(texts) {
				read[reader][n] = w.number(fmt.Append(nil, "buyer-", n))
			}
		})
	}
	running.Wait()
	require.Equal(t, read[0], read[1])
	require.Equal(t, read[0], read[2])
}

// A basket is the same in whatever order its lines come, and another one with another quantity or price.
func TestBasketsAreSetsOfLines(t *testing.T) {
	w := newWords()
	lines := []line{{"case", 1, 10}, {"phone", 2, 100}, {"phone", 3, 100}}
	number := w.basketOf(lines)
	require.Equal(t, lines, w.lines(number))
	require.Equal(t, number, w.basketOf([]line{lines[2], lines[0], lines[1]}))
	require.NotEqual(t, number, w.basketOf(lines[:2]))
	require.NotEqual(t, number, w.basketOf([]line{{"case", 1, 11}, lines[1], lines[2]}))
	require.NotEqual(t, number, w.basketOf([]line{{"case", 2, 10}, lines[1], lines[2]}))
	require.NotEqual(t, w.basketOf([]line{{"a", 1, 1}}), w.basketOf([]line{{"a\x02", 1, 1}}))
	require.Zero(t, w.basketOf(nil))
	require.Empty(t, w.lines(0))
	strange := []line{{"", -5, 1 << 62}, {"x y,z", 0, -1 << 63}}
	require.Equal(t, strange, w.lines(w.basketOf(strange)))

	b := newBaskets(w)
	require.Equal(t, []line{{"case", 1, 0}, {"phone", 2, 0}, {"phone", 3, 0}}, b.lines(b.unpriced(number)))
	require.Equal(t, lines, b.lines(number), "the priced one stays")
	require.Equal(t, "1 of case at 10, 2 of phone at 100, 3 of phone at 100", b.written(number))
	require.Panics(t, func() { w.lines(w.number([]byte{0x80})) })
}

func TestClaimsAreNumbered(t *testing.T) {
	w := newWords()
	for _, c := range []claim{{"phone", 1, 100, 1}, {"", 3, 210, 2}, {"phone", -1, 1 << 62, 1}, {}} {
		require.Equal(t, c, w.claim(w.number(c.append(nil))))
	}
}
