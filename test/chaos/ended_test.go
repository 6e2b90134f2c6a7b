package chaos

import (
	"fmt"
	"time"

	"github.com/stretchr/testify/require"
)

// endSales deletes a listed draft, and archives another listed sale. Whatever dies meanwhile, both come to their end.
func (s *story) endSales() {
	s.t.Helper()
	id := fmt.Sprintf("ended-%d", time.Now().UnixNano())
	path := "/admin/v1/sales/" + id
	body := fmt.Sprintf(`{"name":"n","starts_at":%q,"ends_at":%q,"eligibility":"list",`+
		`"items":[{"sku":"phone","stock":1,"price_cents":1}]}`, s.sale.starts.Format(time.RFC3339), s.sale.ends.Format(time.RFC3339))
	s.operate("PUT", path, body)
	s.operate("PUT", path+"/buyers", buyerName(1)+"\n")
	s.await("the draft is deleted", func() bool {
		status, _, err := s.Operate("DELETE", path, "")
		return err == nil && (status == 200 || status == 404) // 404: the process died after it
	})
	require.Zero(s.t, s.count("SELECT COUNT(*) FROM sales WHERE sale_id = ?", id))
	require.Zero(s.t, s.count("SELECT COUNT(*) FROM buyers WHERE sale_id = ?", id))

	s.operate("PUT", path, body)
	s.operate("PUT", path+"/buyers", buyerName(1)+"\n")
	s.operate("POST", path+"/preload", "")
	s.operate("POST", path+"/close", "")
	s.operate("DELETE", path, "")
	require.Equal(s.t, 1, s.count("SELECT COUNT(*) FROM archives WHERE sale_id = ? AND dropped = 1", id))
	require.Zero(s.t, s.count("SELECT COUNT(*) FROM buyers WHERE sale_id = ?", id))
	for _, key := range []string{":0}:meta", ":0}:stock", ":0}:buyers", ":0}:journal", "}:listed", "}:listed:1"} {
		require.EqualValues(s.t, 0, s.redis.primary.MustDo(s.t, "EXISTS", s.Name+":{"+id+key), key)
	}
}
