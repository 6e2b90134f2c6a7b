package loadtest

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/csv"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

func readAll(t *testing.T, file []byte) []Told {
	t.Helper()
	var all []Told
	require.NoError(t, ReadHistory(bytes.NewReader(file), func(told Told) error {
		all = append(all, told)
		return nil
	}))
	return all
}

// The same three presses in every format: taken, sold out, no answer.
var (
	queuedBody  = []byte(`{"order_id":"1001","status":"queued","sale":"spring","sku":"phone","quantity":1}`)
	soldOutBody = sale.ProblemOf(sale.OutcomeSoldOut, "").Append(nil)
)

func vegetaResults() []vegetaResult {
	at := time.Date(2026, 11, 11, 10, 0, 0, 5000, time.UTC)
	urlOf := func(buyer string) string {
		return "http://127.0.0.1:8080/v1/sales/spring/items/phone/orders?buyer=" + buyer + "&key=k-" + buyer
	}
	header := http.Header{"Content-Type": {"application/json"}, "Location": {"/v1/sales/spring/items/phone/orders/1001"}}
	return []vegetaResult{
		{Seq: 0, Code: 202, Timestamp: at, Latency: 1500 * time.Microsecond, Body: queuedBody, Method: "POST",
			URL: urlOf("load-1"), Headers: header},
		{Seq: 1, Code: 409, Timestamp: at, Latency: time.Millisecond, Body: soldOutBody, Method: "POST", URL: urlOf("load-2"),
			Error: "409 Conflict", Headers: header},
		{Seq: 2, Code: 0, Timestamp: at, Latency: time.Second, Error: `Post "x": EOF, "quoted"`, Method: "POST",
			URL: urlOf("load-3")},
		{Seq: 3, Code: 200, Timestamp: at, Body: []byte(`{}`), Method: "GET", URL: "http://127.0.0.1:8080/v1/sales/spring"},
	}
}

// vegetaCSV writes what vegeta encode -to csv writes: twelve columns, body and headers base64.
func vegetaCSV(t *testing.T, results []vegetaResult) []byte {
	t.Helper()
	var file bytes.Buffer
	rows := csv.NewWriter(&file)
	for _, r := range results {
		var header bytes.Buffer
		require.NoError(t, r.Headers.Write(&header))
		require.NoError(t, rows.Write([]string{
			strconv.FormatInt(r.Timestamp.UnixNano(), 10), strconv.Itoa(int(r.Code)), strconv.FormatInt(int64(r.Latency), 10),
			"0", strconv.Itoa(len(r.Body)), r.Error, base64.StdEncoding.EncodeToString(r.Body), "attack",
			strconv.FormatUint(r.Seq, 10), r.Method, r.URL, base64.StdEncoding.EncodeToString(header.Bytes()),
		}))
	}
	rows.Flush()
	require.NoError(t, rows.Error())
	return file.Bytes()
}

func vegetaJSON(t *testing.T, results []vegetaResult) []byte {
	t.Helper()
	var file bytes.Buffer
	for _, r := range results {
		require.NoError(t, json.NewEncoder(&file).Encode(r))
	}
	return file.Bytes()
}

func vegetaGob(t *testing.T, results []vegetaResult) []byte {
	t.Helper()
	// vegeta's type is called Result: gob matches the members, not the name.
	type Result struct {
		Attack            string
		Seq               uint64
		Code              uint16
		Timestamp         time.Time
		Latency           time.Duration
		BytesOut, BytesIn uint64
		Error             string
		Body              []byte
		Method, URL       string
		Headers           http.Header
	}
	var file bytes.Buffer
	encoder := gob.NewEncoder(&file)
	for _, r := range results {
		require.NoError(t, encoder.Encode(&Result{
			"attack", r.Seq, r.Code, r.Timestamp, r.Latency, 0, uint64(len(r.Body)), r.Error, r.Body, r.Method, r.URL, r.Headers,
		}))
	}
	return file.Bytes()
}

func TestVegetaResultsOfEveryEncodingSayTheSame(t *testing.T) {
	for name, encode := range map[string]func(*testing.T, []vegetaResult) []byte{
		"gob": vegetaGob, "json": vegetaJSON, "csv": vegetaCSV,
	} {
		t.Run(name, func(t *testing.T) {
			told := readAll(t, encode(t, vegetaResults()))
			require.Len(t, told, 3, "the sale view is not a purchase")
			require.Equal(t, "load-1", told[0].Buyer)
			require.Equal(t, "k-load-1", told[0].Key)
			require.Equal(t, "spring", told[0].Sale)
			require.Equal(t, []Asked{{SKU: "phone"}}, told[0].Lines)
			require.Equal(t, "queued", told[0].Code)
			require.Equal(t, "1001", told[0].OrderID)
			require.EqualValues(t, 1500, told[0].LatencyUS)
			require.Equal(t, "sold_out", told[1].Code)
			require.Equal(t, 409, told[1].Status)
			require.Equal(t, CodeNoAnswer, told[2].Code)
			require.Equal(t, []kind{kindOrder, kindRefused, kindPerhaps}, []kind{told[0].kind(), told[1].kind(), told[2].kind()})
		})
	}
}

const k6Output = `{"type":"Metric","data":{"name":"http_reqs","type":"counter","contains":"default","thresholds":[],` +
	`"submetrics":null},"metric":"http_reqs"}
{"metric":"http_reqs","type":"Point","data":{"time":"2026-11-11T10:00:00.1+01:00","value":1,"tags":{"status":"202"},` +
	`"metadata":{"vu":"1"}}}
{"metric":"flashsale_told","type":"Point","data":{"time":"2026-11-11T10:00:00.123456+01:00","value":1,"tags":{"code":"queued"},` +
	`"metadata":{"buyer":"load-1","sale":"spring","sku":"phone","key":"k-1","quantity":"1","attempt":"1","status":"202",` +
	`"code":"queued","order_id":"1001","order_status":"queued"}}}

{"metric":"flashsale_told","type":"Point","data":{"time":"2026-11-11T10:00:01Z","value":1,"tags":{},` +
	`"metadata":{"buyer":"load-2","sale":"spring","sku":"phone","key":"k-2","quantity":"1","attempt":"2","status":"0",` +
	`"code":"no_answer","order_id":"","order_status":""}}}
`

func TestK6OutputGivesTheAnswersAlone(t *testing.T) {
	told := readAll(t, []byte(k6Output))
	require.Len(t, told, 2)
	require.Equal(t, "load-1", told[0].Buyer)
	require.Equal(t, 202, told[0].Status)
	require.Equal(t, kindOrder, told[0].kind())
	require.Equal(t, "2026-11-11T09:00:00.123Z", told[0].At.String())
	require.Equal(t, 2, told[1].Attempt)
	require.Equal(t, kindPerhaps, told[1].kind())
}

func TestHistoriesMayBeCompressed(t *testing.T) {
	for name, file := range map[string][]byte{"k6": []byte(k6Output), "gob": vegetaGob(t, vegetaResults())} {
		var zipped bytes.Buffer
		w := gzip.NewWriter(&zipped)
		_, err := w.Write(file)
		require.NoError(t, err)
		require.NoError(t, w.Close())
		require.Equal(t, readAll(t, file), readAll(t, zipped.Bytes()), name)
	}
}

func TestBadHistoriesAreErrorsThatNameThePlace(t *testing.T) {
	own := `{"buyer":"load-1","sale":"spring","lines":[{"sku":"phone"}],"code":"queued","order_id":"1001"}` + "\n"
	noBuyer := vegetaResults()
	noBuyer[1].URL = "http://x/v1/sales/spring/items/phone/orders"
	badURL := vegetaResults()
	badURL[0].URL = "http://x/\x7f"
	for name, tc := range map[string]struct{ file, want string }{
		"empty":                 {"", "empty"},
		"not a history":         {`{"hello":1}` + "\n", "neither"},
		"array":                 {"[1]\n", "neither JSON nor CSV"},
		"truncated":             {own + own[:20], "line 2"},
		"first line truncated":  {own[:20], "line 1"},
		"bad buyer":             {strings.ReplaceAll(own, "load-1", "a b"), "not a buyer id"},
		"bad sku":               {strings.ReplaceAll(own, "phone", "a phone"), "not a SKU"},
		"no lines":              {strings.ReplaceAll(own, `{"sku":"phone"}`, ""), "a press of 0 lines"},
		"no code":               {strings.ReplaceAll(own, "queued", ""), "without a code"},
		"bad order id":          {strings.ReplaceAll(own, "1001", "x1"), "order id"},
		"long line":             {own + strings.Repeat("x", maxHistoryLine+1), "token too long"},
		"gzip of nothing":       {"\x1f\x8b", "history"},
		"k6 number":             {strings.ReplaceAll(k6Output, `"attempt":"1"`, `"attempt":"one"`), "attempt"},
		"k6 broken":             {`{"type":"Point","metric":"flashsale_told","data":[]}`, "line 1"},
		"k6 truncated":          {k6Output + `{"type":"Po`, "line 6"},
		"vegeta without buyer":  {string(vegetaJSON(t, noBuyer)), "no buyer in the URL"},
		"vegeta gob, no buyer":  {string(vegetaGob(t, noBuyer)), "no buyer in the URL"},
		"vegeta CSV, no buyer":  {string(vegetaCSV(t, noBuyer)), "line 2"},
		"vegeta bad URL":        {string(vegetaCSV(t, badURL)), "line 1"},
		"vegeta CSV cut":        {"1,2,3\n", "wrong number of fields"},
		"vegeta CSV bad number": {"1,x,3,4,5,,,a,9,POST,u,\n", "line 1"},
		"vegeta gob cut":        {string(vegetaGob(t, vegetaResults())[:400]), "result"},
		"vegeta JSON cut":       {string(vegetaJSON(t, vegetaResults())) + `{"seq":`, "line 5"},
	} {
		err := ReadHistory(strings.NewReader(tc.file), func(Told) error { return nil })
		require.ErrorContains(t, err, tc.want, name)
	}
	stop := errors.New("enough")
	require.ErrorIs(t, ReadHistory(strings.NewReader(own), func(Told) error { return stop }), stop)
}

func TestAnswersAreReadAsTheContractSays(t *testing.T) {
	order := func(status string) string {
		return fmt.Sprintf(`{"order_id":"1001","status":%q}`, status)
	}
	for name, tc := range map[string]struct {
		status int
		body   string
		code   string
		kind   kind
		back   bool
	}{
		"queued":   {202, order("queued"), "queued", kindOrder, false},
		"held":     {202, order("held"), "held", kindOrder, false},
		"replayed": {200, order("paid"), "replayed", kindOrder, false},
		"already bought": {409, `{"code":"already_bought","status":409,"order_id":"1001"}`, "already_bought", kindOrder,
			false},
		"key reused": {422, `{"code":"idempotency_key_reused","status":422,"order_id":"1001"}`,
			"idempotency_key_reused", kindOrder, false},
		"sold out":              {409, `{"code":"sold_out","status":409}`, "sold_out", kindRefused, false},
		"paused":                {503, `{"code":"paused","status":503}`, "paused", kindRefused, true},
		"rate limited":          {429, `{"code":"rate_limited","status":429}`, "rate_limited", kindRefused, true},
		"not started":           {409, `{"code":"not_started","status":409}`, "not_started", kindRefused, true},
		"unknown":               {504, `{"code":"unknown","status":504,"order_id":"1001"}`, "unknown", kindPerhaps, true},
		"promise without order": {202, `{"status":"queued"}`, "queued", kindPerhaps, true},
		"impossible order id":   {202, `{"order_id":"-5","status":"queued"}`, CodeUnreadable, kindPerhaps, true},
		"proxy page":            {502, `<html>`, CodeUnreadable, kindPerhaps, true},
		"problem without code":  {409, `{"status":409}`, CodeUnreadable, kindPerhaps, true},
		"order with status 201": {201, order("queued"), CodeUnreadable, kindPerhaps, true},
	} {
		told := Told{Key: "k"}
		told.readAnswer(tc.status, []byte(tc.body))
		require.Equal(t, tc.code, told.Code, name)
		require.Equal(t, tc.kind, told.kind(), name)
		require.Equal(t, tc.back, told.comesBack(), name)
		told.Key = ""
		require.Equal(t, tc.back && tc.kind != kindPerhaps, told.comesBack(), "%s: perhaps without a key is not repeated", name)
	}
}
