package loadtest

import (
	"encoding/base64"
	"encoding/csv"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"flashsale/sale"
)

// vegetaResult is one result of vegeta attack, with the names of vegeta's own type: gob matches members by name.
type vegetaResult struct {
	Attack    string        `json:"attack"`
	Seq       uint64        `json:"seq"`
	Code      uint16        `json:"code"`
	Timestamp time.Time     `json:"timestamp"`
	Latency   time.Duration `json:"latency"`
	BytesOut  uint64        `json:"bytes_out"`
	BytesIn   uint64        `json:"bytes_in"`
	Error     string        `json:"error"`
	Body      []byte        `json:"body"`
	Method    string        `json:"method"`
	URL       string        `json:"url"`
	Headers   http.Header   `json:"headers"`
}

// told returns the answer to the buyer in the result's URL, nil when the request was not a purchase.
func (v *vegetaResult) told() (*Told, error) {
	u, err := url.Parse(v.URL)
	if err != nil {
		return nil, fmt.Errorf("result %d: %w", v.Seq, err)
	}
	saleID, sku, ok := splitPurchasePath(u.Path)
	if !ok || v.Method != http.MethodPost {
		return nil, nil
	}
	query := u.Query()
	told := &Told{
		At: sale.Time{Time: v.Timestamp.Add(v.Latency)}, LatencyUS: v.Latency.Microseconds(), Attempt: 1,
		Buyer: query.Get(queryBuyer), Key: query.Get(queryKey), Sale: saleID, Lines: []Asked{{SKU: sku}},
	}
	switch {
	case told.Buyer == "":
		return nil, fmt.Errorf("result %d: no buyer in the URL: the targets were not made by this tool", v.Seq)
	case v.Code == 0:
		told.Code = CodeNoAnswer
	default:
		told.readAnswer(int(v.Code), v.Body)
	}
	return told, nil
}

// splitPurchasePath takes sale and SKU from …/v1/sales/{sale}/items/{sku}/orders.
func splitPurchasePath(path string) (saleID, sku string, ok bool) {
	_, rest, ok := strings.Cut(path, "/v1/sales/")
	parts := strings.Split(rest, "/")
	if !ok || len(parts) != 4 || parts[1] != "items" || parts[3] != "orders" {
		return "", "", false
	}
	return parts[0], parts[2], true
}

func readVegetaLine(line []byte) (*Told, error) {
	var result vegetaResult
	if err := json.Unmarshal(line, &result); err != nil {
		return nil, err
	}
	return result.told()
}

// readVegetaGob reads results as vegeta attack writes them.
func readVegetaGob(in io.Reader, each func(Told) error) error {
	results := gob.NewDecoder(in)
	for n := 1; ; n++ {
		var result vegetaResult
		switch err := results.Decode(&result); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("history: result %d of a file that is neither JSON nor CSV: %w", n, err)
		}
		if err := emitResult(&result, each); err != nil {
			return err
		}
	}
}

// Columns of vegeta encode -to csv that are read, and how many there are.
const (
	columnTimestamp = 0
	columnCode      = 1
	columnLatency   = 2
	columnError     = 5
	columnBody      = 6
	columnSeq       = 8
	columnMethod    = 9
	columnURL       = 10
	vegetaColumns   = 12
)

func readVegetaCSV(in io.Reader, each func(Told) error) error {
	rows := csv.NewReader(in)
	rows.FieldsPerRecord, rows.TrimLeadingSpace, rows.ReuseRecord = vegetaColumns, true, true
	for {
		row, err := rows.Read()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("history: vegeta CSV: %w", err)
		}
		result, err := vegetaRow(row)
		if err == nil {
			err = emitResult(result, each)
		}
		if err != nil {
			line, _ := rows.FieldPos(0)
			return fmt.Errorf("history: vegeta CSV line %d: %w", line, err)
		}
	}
}

func vegetaRow(row []string) (*vegetaResult, error) {
	timestamp, errTime := strconv.ParseInt(row[columnTimestamp], 10, 64)
	code, errCode := strconv.ParseUint(row[columnCode], 10, 16)
	latency, errLatency := strconv.ParseInt(row[columnLatency], 10, 64)
	seq, errSeq := strconv.ParseUint(row[columnSeq], 10, 64)
	body, errBody := base64.StdEncoding.DecodeString(row[columnBody])
	if err := errors.Join(errTime, errCode, errLatency, errSeq, errBody); err != nil {
		return nil, err
	}
	return &vegetaResult{
		Timestamp: time.Unix(0, timestamp), Code: uint16(code), Latency: time.Duration(latency), Seq: seq, Body: body,
		Error: row[columnError], Method: row[columnMethod], URL: row[columnURL],
	}, nil
}

func emitResult(result *vegetaResult, each func(Told) error) error {
	told, err := result.told()
	if err != nil || told == nil {
		return err
	}
	return emit(told, each)
}
