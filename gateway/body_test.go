package gateway

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

func TestParseUnits(t *testing.T) {
	cases := []struct {
		body     string
		quantity int
		field    string
	}{
		{"", 1, ""}, {"{}", 1, ""}, {`{"quantity":1}`, 1, ""}, {`{"quantity":100}`, 100, ""},
		{" { \"quantity\" :\t7 }\r\n", 7, ""}, {`{"quant\u0069ty":3}`, 3, ""}, {" {}", 1, ""},
		{`{"quantity":0}`, 0, "quantity"}, {`{"quantity":101}`, 0, "quantity"}, {`{"quantity":-1}`, 0, "quantity"},
		{`{"quantity":1.0}`, 0, "quantity"}, {`{"quantity":1.5}`, 0, "quantity"}, {`{"quantity":1e0}`, 0, "quantity"},
		{`{"quantity":99999999999999999999}`, 0, "quantity"}, {`{"quantity":"1"}`, 0, "quantity"},
		{`{"quantity":null}`, 0, "quantity"}, {`{"quantity":true}`, 0, "quantity"}, {`{"quantity":[1]}`, 0, "quantity"},
		{`{"quantity":{"quantity":1}}`, 0, "quantity"}, {`{"quantity":1,"quantity":1}`, 0, "quantity"},
		{`{"lines":[{"sku":"phone"}]}`, 0, "lines"}, {`{"quantity":1,"lines":[]}`, 0, "lines"},
		{`{"quantity":1,"colour":"red"}`, 0, "colour"}, {`{"Quantity":1}`, 0, "Quantity"}, {`{"":1}`, 0, `""`},
		{`{"quantity":01}`, 0, "body"}, {`{"quantity":1`, 0, "body"}, {`{"quantity":1}}`, 0, "body"},
		{`{"quantity":1} {}`, 0, "body"},
		{`{"quantity":1,}`, 0, "body"}, {`{"quantity":+1}`, 0, "body"}, {`{"quantity":}`, 0, "body"}, {`{quantity:1}`, 0, "body"},
		{"[]", 0, "body"}, {"null", 0, "body"}, {"1", 0, "body"}, {`"quantity"`, 0, "body"}, {" ", 0, "body"},
		{"\x00", 0, "body"},
		{"\xef\xbb\xbf{}", 0, "body"}, {"{\"\xff\":1}", 0, "body"}, {"{\"quantity\":1}\xff", 0, "body"},
		{strings.Repeat("[", 2000) + strings.Repeat("]", 2000), 0, "body"},
		{`{"a":` + strings.Repeat("[", 2000) + strings.Repeat("]", 2000) + "}", 0, "a"},
		{`{"quantity":` + strings.Repeat("[", 2000) + strings.Repeat("]", 2000) + "}", 0, "quantity"},
	}
	for _, c := range cases {
		quantity, field := parseUnits([]byte(c.body))
		require.Equal(t, c.field, field, "%.60q", c.body)
		if c.field == "" {
			require.Equal(t, c.quantity, quantity, "%.60q", c.body)
		}
	}
}

func TestLongUnknownMembersAreCutShort(t *testing.T) {
	_, field := parseUnits([]byte(`{"` + strings.Repeat("x", 3000) + `":1}`))
	require.Equal(t, `"`+strings.Repeat("x", 64)+`"`, field)
}

func TestBodySizes(t *testing.T) {
	s := newScene(t).open(autumn())
	full := `{"quantity":1` + strings.Repeat(" ", maxBodyBytes-14) + "}"
	require.Len(t, full, maxBodyBytes)
	require.Equal(t, http.StatusAccepted, s.press("ann", full).status)
	r := s.press("ann", full+" ")
	s.refused(r, sale.OutcomeBodyTooLarge, nil)
	require.EqualValues(t, 1, s.counted(sale.OutcomeBodyTooLarge))
	s.refused(s.press("ann", strings.Repeat(" ", 1<<20)), sale.OutcomeBodyTooLarge, nil)
	require.Len(t, s.stock.purchases(), 1)
}

func TestChunkedBodies(t *testing.T) {
	s := newScene(t).open(autumn())
	head := "POST " + phoneOrders + " HTTP/1.1\r\nHost: shop\r\n" + bearer("ann") + "\r\nTransfer-Encoding: chunked\r\n\r\n"
	require.Equal(t, http.StatusAccepted, s.raw(head+"e\r\n{\"quantity\":2}\r\n0\r\n\r\n").status)
	require.Equal(t, 2, s.stock.purchases()[0].Lines[0].Quantity)
	require.Equal(t, http.StatusAccepted, s.raw(head+"0\r\n\r\n").status)
	s.refused(s.raw(head+fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", maxBodyBytes+1, strings.Repeat(" ", maxBodyBytes+1))),
		sale.OutcomeBodyTooLarge, nil)
	s.refused(s.raw(head+"zz\r\n"), sale.OutcomeMalformed, nil)
}

func TestContentTypeIsNotLookedAt(t *testing.T) {
	s := newScene(t).open(autumn())
	for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
		"rubbish"} {
		require.Equal(t, http.StatusAccepted, s.press("ann", `{"quantity":1}`, "Content-Type: "+kind).status)
	}
}

// FuzzBody compares the parser with encoding/json: it accepts only one object with at most one member, quantity.
func FuzzBody(f *testing.F) {
	for _, seed := range []string{
		"", "{}", `{"quantity":1}`, `{"quantity":100}`, `{"quantity":1.0}`, `{"quantity":01}`, `{"quantity":1,"quantity":2}`,
		` {"quant\u0069ty" : 5 } `, `{"x":{}}`, "[[[[", "{\"\xff\":1}", `{"quantity":-1}`, `{"quantity":1e2}`, "null",
		"{\"quantity\":1}\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		quantity, field := parseUnits(body)
		if field != "" {
			return
		}
		require.GreaterOrEqual(t, quantity, 1)
		require.LessOrEqual(t, quantity, sale.MaxQuantity)
		if len(body) == 0 {
			require.Equal(t, 1, quantity)
			return
		}
		var members map[string]json.Number
		require.NoError(t, json.Unmarshal(body, &members), "%q", body)
		if len(members) == 0 {
			require.Equal(t, 1, quantity)
			return
		}
		require.Equal(t, map[string]json.Number{"quantity": json.Number(fmt.Sprint(quantity))}, members)
	})
}
