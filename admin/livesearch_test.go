package admin

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// A search in a reading that everybody has, and the next reading, which takes over what is searched in, do not meet.
func TestSearchesBesideTheNextReading(t *testing.T) {
	b := newBench(t)
	b.bring("s", manyItems(50), "preload", "open")
	read := b.api.readSale("s")
	var before any
	for i := range 20 {
		now := read(t.Context(), before).value.(*saleReading)
		var searches sync.WaitGroup
		searches.Go(func() {
			page, err := now.page(liveQuery{text: fmt.Sprintf("sku-00%02d", i), limit: liveRows})
			require.NoError(t, err)
			require.Contains(t, string(page), `"matched":1,`)
		})
		next := read(t.Context(), now).value.(*saleReading)
		searches.Wait()
		if before = next; i%5 == 0 {
			before = nil
		}
	}
}
