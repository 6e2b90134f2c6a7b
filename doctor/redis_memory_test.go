package doctor

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
)

const measured = 100_000 // buyers

// grown returns by how many bytes of used_memory a Redis grows for each of the measured buyers.
func grown(t *testing.T, fill func(client rueidis.Client)) int64 {
	t.Helper()
	server := harness.Redis(t, "--appendonly", "no") // the buffer of the file counts too, and grows while the disk is busy
	client := clientOf(t, server.Addr)
	used := func() int64 {
		n, err := strconv.ParseInt(server.Info(t, "memory")["used_memory"], 10, 64)
		require.NoError(t, err)
		return n
	}
	fill(client)                         // once for the client's own buffers
	server.MustDo(t, "FLUSHALL", "SYNC") // Valkey frees the memory later by itself
	before := used()
	fill(client)
	return (used() - before) / measured
}

func buyer(n int) string { return fmt.Sprintf("%08x-0000-4000-8000-%012d", uint32(n)*2654435761, n) }

// A buyer of a list takes much of the constant, and not more.
func TestBytesOfAListedBuyer(t *testing.T) {
	bytes := grown(t, func(client rueidis.Client) {
		for from := 0; from < measured; from += 1000 {
			add := client.B().Sadd().Key("doc:{rush}:listed:1").Member(buyer(from))
			for n := from + 1; n < from+1000; n++ {
				add = add.Member(buyer(n))
			}
			require.NoError(t, client.Do(t.Context(), add.Build()).Error())
		}
	})
	t.Logf("%d bytes a listed buyer", bytes)
	require.LessOrEqual(t, bytes, int64(listedBytes))
	require.Greater(t, bytes, int64(listedBytes)/3, "Valkey 9.1 takes 61 bytes, Redis 95")
}

// The same of an order in the journal: an entry has the record of a batch, with keys of 36 characters.
func TestBytesOfAJournaledOrder(t *testing.T) {
	const batch = 250
	bytes := grown(t, func(client rueidis.Client) {
		for from := 0; from < measured; from += batch {
			var record strings.Builder
			fmt.Fprintf(&record, "fs2 batch rush 0 1 %d 120302906804015104 1800000000000 %d\n", from, batch)
			for n := from; n < from+batch; n++ {
				fmt.Fprintf(&record, "%d phone-128:1:129900 %s %s\n", 120302906804015104+n, buyer(n), buyer(n))
			}
			add := client.B().Xadd().Key("doc:{rush:0}:journal").Id("*").FieldValue().FieldValue("r", record.String()).Build()
			require.NoError(t, client.Do(t.Context(), add).Error())
		}
	})
	t.Logf("%d bytes an order in the journal", bytes)
	require.LessOrEqual(t, bytes, int64(journaledBytes))
	require.Greater(t, bytes, int64(journaledBytes)/2)
}
