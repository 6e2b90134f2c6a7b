package store

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// Who asks for units back is in the trail, with how many, whether the request waits for them or not; and what the engine then
// takes from the stock is, too. A repeated request adds nothing.
func TestUnitsTakenBackAreInTheTrail(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		ctx := sale.WithActor(t.Context(), nightShift)
		row := selling(t, s, draft("eleven", 1, item("phone", 20), item("case", 9)))[0]
		available := map[sale.Shelf]int64{
			{Bucket: row.Bucket, SKU: "phone"}: 15, {Bucket: row.Bucket, SKU: "case"}: 9,
		}
		known := len(trail(t, s))
		says := func(lines ...string) {
			t.Helper()
			var found []string
			for _, e := range trail(t, s)[known:] {
				found = append(found, fmt.Sprintf("%s %s %s %s %s", e.Who, e.Verb, e.Target, e.Before, e.After))
			}
			require.Equal(t, lines, found)
			known += len(found)
		}
		take := func(key string) sale.StockChange {
			change, err := s.ChangeStock(ctx, sale.StockChange{Sale: "eleven", SKU: "phone", Key: key, Asked: -12})
			require.NoError(t, err)
			return change
		}
		require.False(t, take("k").Done)
		require.False(t, take("k").Done)
		says(`night stock sale/eleven/items/phone {"stock":20} {"asked":-12,"stock":20}`)
		applyAll(t, s, available)
		says(`engine stock sale/eleven {"stock":{"phone":20}} {"stock":{"phone":8}}`)
		require.True(t, take("k").Done)
		require.True(t, take("k").Done)
		says()

		wanted := draft("eleven", 1, item("phone", 4), item("case", 2))
		for range 2 {
			_, _, err := s.PutSale(ctx, wanted)
			require.NoError(t, err)
		}
		says(`night change sale/eleven {"items":[` + itemText("phone", 8) + `,` + itemText("case", 9) + `]} {"items":[` +
			itemText("phone", 4) + `,` + itemText("case", 2) + `]}`)
		applyAll(t, s, available)
		says(`engine stock sale/eleven {"stock":{"case":9,"phone":8}} {"stock":{"case":2,"phone":5}}`)
	})
}
