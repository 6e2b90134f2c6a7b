package chaos

import (
	"fmt"
	"net/http"
	"time"

	"github.com/stretchr/testify/require"
)

// holds gives a buyer more time to pay, freezes the sale and thaws it, each until it is answered.
func (s *story) holds() {
	require.NotEmpty(s.t, s.own)
	extended := s.own[len(s.own)-1].order
	s.await("a row of order "+extended, func() bool { return s.count(rowStands, extended) == 1 })
	payBy := fmt.Sprintf(`{"pay_by":%q}`, time.Now().Add(time.Hour).UTC().Format(time.RFC3339Nano))
	s.operate(http.MethodPut, "/admin/v1/orders/"+extended+"/pay_by", payBy)
	s.operate(http.MethodPost, "/admin/v1/sales/s/holds/freeze", "")
	if s.at.Name == "expiry.thaw-continued" {
		s.abandonThaw()
	}
	s.await("the sale is thawed", func() bool { // another request, or the reaper, may have ended what this one began
		status, _, err := s.Operate(http.MethodPost, "/admin/v1/sales/s/holds/thaw", "")
		return err == nil && (status == http.StatusOK || status == http.StatusConflict)
	})
	require.Zero(s.t, s.count("SELECT COUNT(*) FROM orders o JOIN sales s ON s.sale_id = o.sale_id WHERE o.sale_id = 's' AND "+
		"o.status = 'confirmed' AND o.thaw_no < s.thaw_no AND o.created_at < (SELECT FROM_UNIXTIME(t.at_ms / 1000) FROM thaws t "+
		"WHERE t.sale_id = 's' AND t.thaw_no = s.thaw_no)"), "orders that the thaw has not moved")
}

// abandonThaw begins a thaw as a request that died long ago has: the reaper ends it.
func (s *story) abandonThaw() {
	ago := time.Now().Add(-time.Minute).UnixMilli()
	for _, statement := range []string{
		"UPDATE sales SET thaw_no = thaw_no + 1, thaw_at = FROM_UNIXTIME(? / 1000) WHERE sale_id = 's'",
		"UPDATE buckets SET thaw_no = thaw_no + 1, thawed_ms = ? WHERE sale_id = 's'",
		"INSERT INTO thaws (sale_id, thaw_no, at_ms, shift_ms) SELECT sale_id, thaw_no, ?, 1000 FROM sales WHERE sale_id = 's'",
	} {
		_, err := s.db.Exec(statement, ago)
		require.NoError(s.t, err)
	}
	s.await("the reaper ends the thaw", func() bool {
		return s.count("SELECT COUNT(*) FROM sales WHERE holds_frozen_since IS NOT NULL") == 0
	})
}
