package loadtest

import (
	"encoding/json"
	"fmt"
	"strconv"

	"flashsale/sale"
)

// k6Metric is the counter with which rush.js and retry.js report answers. Buyer and answer are in
// k6Sample.Data.Metadata, because metadata, unlike tags, does not create a time series per buyer.
const k6Metric = "flashsale_told"

// k6Sample is one line of k6's JSON output.
type k6Sample struct {
	Type   string `json:"type"`
	Metric string `json:"metric"`
	Data   struct {
		Time     sale.Time         `json:"time"`
		Metadata map[string]string `json:"metadata"`
	} `json:"data"`
}

// readK6Line returns the answer in a sample of our counter, nil for every other line.
func readK6Line(line []byte) (*Told, error) {
	var kind struct {
		Type   string `json:"type"`
		Metric string `json:"metric"`
	}
	if err := json.Unmarshal(line, &kind); err != nil {
		return nil, err
	}
	if kind.Type != "Point" || kind.Metric != k6Metric {
		return nil, nil
	}
	var sample k6Sample
	if err := json.Unmarshal(line, &sample); err != nil {
		return nil, err
	}
	of := sample.Data.Metadata
	told := &Told{
		At: sample.Data.Time, Buyer: of["buyer"], Sale: of["sale"], Lines: []Asked{{SKU: of["sku"]}}, Key: of["key"],
		Code: of["code"], OrderID: of["order_id"], OrderStatus: of["order_status"],
	}
	for name, into := range map[string]*int{
		"status": &told.Status, "quantity": &told.Lines[0].Quantity, "attempt": &told.Attempt,
	} {
		n, err := strconv.Atoi(of[name])
		if err != nil {
			return nil, fmt.Errorf("metadata %s: %w", name, err)
		}
		*into = n
	}
	return told, nil
}
