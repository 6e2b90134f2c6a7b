package loadtest

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// Whatever a file contains, reading it ends without a panic, and every answer read from it is one that the verdict can
// use.
func FuzzReadHistory(f *testing.F) {
	for _, file := range [][]byte{
		[]byte(`{"buyer":"load-1","sale":"spring","lines":[{"sku":"phone"}],"code":"queued","order_id":"1001"}` + "\n"),
		[]byte(k6Output),
		[]byte("1,202,3,4,5,,e30=,a,9,POST,http://x/v1/sales/s/items/p/orders?buyer=b&key=k,\n"),
		[]byte(`{"seq":1,"code":409,"url":"http://x/v1/sales/s/items/p/orders?buyer=b","method":"POST","body":"e30="}` + "\n"),
		{0x1f, 0x8b, 8, 0},
		[]byte("\x13\xff\x81\x03\x01\x01"),
		nil,
	} {
		f.Add(file)
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		memory := NewMemory("spring")
		err := ReadHistory(bytes.NewReader(file), func(told Told) error {
			require.True(t, sale.ValidBuyerID(told.Buyer))
			require.NotEmpty(t, told.Lines)
			for _, line := range told.Lines {
				require.True(t, sale.ValidID(line.SKU))
			}
			require.NotEmpty(t, told.Code)
			if told.kind() == kindOrder {
				require.Equal(t, told.OrderID, told.orderID.String())
			}
			return memory.Add(told)
		})
		if err == nil {
			require.LessOrEqual(t, len(memory.orders), len(file))
		}
	})
}

// Token files are foreign input as well.
func FuzzReadCrowd(f *testing.F) {
	f.Add("a.eyJzdWIiOiJsb2FkLTEifQ.c\n")
	f.Add("\n\r\n a.b.c ")
	f.Fuzz(func(t *testing.T, file string) {
		crowd, err := ReadCrowd(bytes.NewReader([]byte(file)))
		if err != nil {
			return
		}
		distinct := map[string]bool{}
		for _, member := range crowd {
			require.True(t, sale.ValidBuyerID(member.Buyer))
			distinct[member.Buyer] = true
		}
		require.Len(t, distinct, len(crowd))
	})
}
