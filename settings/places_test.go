package settings

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPlacesShowNoAccount(t *testing.T) {
	source, _, err := FromCommandLine([]string{"--redis-addrs", "a:1,b:2", "--kafka-brokers", "c:3"},
		[]string{"FLASHSALE_MYSQL_DSN=user:hidden@tcp(db:3306)/shop?timeout=1s"})
	require.NoError(t, err)
	s, err := source.Load("migrate")
	require.NoError(t, err)
	require.Equal(t, "shop at db:3306", s.Database())
	require.Equal(t, "a:1,b:2", s.RedisPlace())
	require.Equal(t, "c:3", s.KafkaPlace())
	require.Empty(t, (&Settings{}).Database())
}
