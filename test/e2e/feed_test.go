package e2e

import (
	"encoding/csv"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fed is an order of the feed.
type fed struct {
	OrderID   string `json:"order_id"`
	Status    string `json:"status"`
	BuyerID   string `json:"buyer_id"`
	PaymentID string `json:"payment_id"`
}

func (s *stack) feed(query string) (orders []fed, completeUntil string) {
	s.t.Helper()
	r := s.request("GET", "http://"+s.Gateways[0].Operators+"/admin/v1/orders?"+query, nil, "Authorization", "Bearer "+shopToken)
	require.Equal(s.t, http.StatusOK, r.status, "%s", r.body)
	var page struct {
		Orders []fed
		Next   *string
	}
	require.NoError(s.t, json.Unmarshal(r.body, &page))
	require.Nil(s.t, page.Next)
	return page.Orders, r.header.Get("Complete-Until")
}

// TestFeed: the shop finds its orders by every filter, follows what changes, and takes them as CSV; the commands print the same.
func TestFeed(t *testing.T) {
	s := newStack(t, servers{}).run(1, 1)
	s.open("rush", lasting(phone(10)))
	ann, bob, cat := s.confirmed("ann"), s.confirmed("bob"), s.confirmed("cat")
	all, until := s.feed("sale=rush")
	assert.Equal(t, []string{ann.OrderID, bob.OrderID, cat.OrderID}, []string{all[0].OrderID, all[1].OrderID, all[2].OrderID})
	require.Equal(t, http.StatusOK, s.shop("PUT", ann.OrderID+"/payment", object{"payment_id": "p-1"}).status)
	s.Succeed("orders", "cancel", bob.OrderID)
	for query, wanted := range map[string][]fed{
		"status=paid":                   {{ann.OrderID, "paid", "ann", "p-1"}},
		"buyer=bob":                     {{bob.OrderID, "cancelled", "bob", ""}},
		"sale=rush&status=confirmed":    {{cat.OrderID, "confirmed", "cat", ""}},
		"sku=phone&sale=rush&buyer=ann": {{ann.OrderID, "paid", "ann", "p-1"}},
		"sku=case":                      {},
	} {
		found, _ := s.feed(query)
		assert.Equal(t, wanted, found, query)
	}
	changed, _ := s.feed("updated_after=" + url.QueryEscape(until))
	assert.Len(t, changed, 3, "all, because the header goes back for longer than the test takes")
	assert.Equal(t, bob.OrderID, changed[2].OrderID, "what changed last is the last")

	rows, err := csv.NewReader(strings.NewReader(s.Succeed("orders", "--sale", "rush", "-o", "csv"))).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 4)
	assert.Equal(t, "order_id", rows[0][0])
	assert.Equal(t, bob.OrderID, rows[3][0])
	table := strings.Split(strings.TrimSpace(s.Succeed("orders", "--status", "paid")), "\n")
	require.Len(t, table, 2)
	assert.True(t, strings.HasPrefix(table[1], ann.OrderID+" "), table[1])
	var shown fed
	require.NoError(t, json.Unmarshal([]byte(s.Succeed("orders", "show", cat.OrderID)), &shown))
	assert.Equal(t, fed{cat.OrderID, "confirmed", "cat", ""}, shown)
	refused := s.Command("orders", "--status", "held")
	assert.Equal(t, 1, refused.Code)
	assert.Contains(t, refused.Stderr, "status: must be confirmed")
	assert.Equal(t, 1, s.Command("orders", "cancel", ann.OrderID).Code, "it is paid")
}
