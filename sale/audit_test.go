package sale

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// The operators' API writes these members and its client reads them.
func TestAuditIsWrittenAsJSON(t *testing.T) {
	audit := Audit{Holds: true, Items: []AuditItem{
		{Sale: "s", SKU: "a", Stock: Stock{Loaded: 9, Available: 3, InFlight: 2, Settled: 5, Released: 1}, Difference: 0},
		{Sale: "s", SKU: "b", Stock: Stock{InFlight: 3}, Difference: -3},
	}}
	body, err := JSON(&audit)
	require.NoError(t, err)
	require.JSONEq(t, `{"holds":true,"items":[
		{"sale":"s","sku":"a","loaded":9,"available":3,"in_flight":2,"settled":5,"released":1,"difference":0},
		{"sale":"s","sku":"b","loaded":0,"available":0,"in_flight":3,"settled":0,"released":0,"difference":-3}]}`, string(body))
	var read Audit
	require.NoError(t, json.Unmarshal(body, &read))
	require.Equal(t, audit, read)
	require.EqualValues(t, 5, audit.InFlight())
}

func TestJSONKeepsTextAsItIs(t *testing.T) {
	body, err := JSON(map[string]string{"name": "<a> & b"})
	require.NoError(t, err)
	require.Equal(t, `{"name":"<a> & b"}`, string(body))
	_, err = JSON(func() {})
	require.ErrorContains(t, err, "encode func()")
}
