package gateway

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/test/harness"
)

// cart is the body of so many lines with SKUs of 64 characters.
func cart(lines int) string {
	parts := make([]string, lines)
	for i := range parts {
		parts[i] = fmt.Sprintf(`{"sku":"%s%02d","quantity":100}`, strings.Repeat("a", 62), i)
	}
	return `{"lines":[` + strings.Join(parts, ",") + `]}`
}

func TestParseLines(t *testing.T) {
	long := strings.Repeat("x", 64)
	for body, want := range map[string]string{
		`{"lines":[{"sku":"a","quantity":1},{"sku":"b","quantity":100}]}`: "a 1, b 100",
		`{"lines":[{"sku":"a"}]}`:                                         "a 1",
		`{"lines":[{"quantity":7,"sku":"a"}]}`:                            "a 7",
		"{\n\"lines\" : [ { \"sku\" : \"a\" , \"quantity\" : 2 } ] }\r\n": "a 2",
		`{"lines":[{"sku":"\u0061"}]}`:                                    "a 1",
		`{"l\u0069nes":[{"sku":"a","quant\u0069ty":3}]}`:                  "a 3",
		`{"lines":[{"sku":"A"},{"sku":"a"}]}`:                             "A 1, a 1",
		`{"lines":[{"sku":"A.b-C_9"},{"sku":"` + long + `"}]}`:            "A.b-C_9 1, " + long + " 1",
	} {
		lines, field := parseLines(nil, []byte(body))
		require.Empty(t, field, body)
		require.Equal(t, want, textOf(lines), body)
	}
	lines, field := parseLines(nil, []byte(cart(sale.MaxLines)))
	require.Empty(t, field)
	require.Len(t, lines, sale.MaxLines)
	require.Less(t, len(cart(sale.MaxLines)), maxBodyBytes, "the bound of the body has room for every purchase")
}

func textOf(lines []pressLine) string {
	parts := make([]string, len(lines))
	for i, line := range lines {
		parts[i] = fmt.Sprintf("%s %d", line.sku, line.quantity)
	}
	return strings.Join(parts, ", ")
}

// malformedLines are bodies of a purchase of lines and the fields that their answers name.
var malformedLines = map[string]string{
	"":                                     "lines",
	"{}":                                   "lines",
	`{"quantity":1}`:                       "lines",
	`{"lines":[]}`:                         "lines",
	`{"lines":[ ]}`:                        "lines",
	`{"lines":null}`:                       "lines",
	`{"lines":{}}`:                         "lines",
	`{"lines":"a"}`:                        "lines",
	`{"lines":1}`:                          "lines",
	`{"lines":[{"sku":"a"}],"quantity":1}`: "lines",
	`{"quantity":1,"lines":[{"sku":"a"}]}`: "lines",
	`{"lines":[{"sku":"a"}],"lines":[{"sku":"b"}]}`:                     "lines",
	`{"lines":[{"sku":"a"},{"sku":"a"}]}`:                               "lines[1].sku",
	`{"lines":[{"sku":"a"},{"sku":"b"},{"sku":"\u0061","quantity":2}]}`: "lines[2].sku",
	`{"lines":[{"sku":"a","quantity":0}]}`:                              "lines[0].quantity",
	`{"lines":[{"sku":"a","quantity":101}]}`:                            "lines[0].quantity",
	`{"lines":[{"sku":"a"},{"sku":"b","quantity":-1}]}`:                 "lines[1].quantity",
	`{"lines":[{"sku":"a","quantity":1.0}]}`:                            "lines[0].quantity",
	`{"lines":[{"sku":"a","quantity":1e0}]}`:                            "lines[0].quantity",
	`{"lines":[{"sku":"a","quantity":"1"}]}`:                            "lines[0].quantity",
	`{"lines":[{"sku":"a","quantity":null}]}`:                           "lines[0].quantity",
	`{"lines":[{"sku":"a","quantity":1,"quantity":1}]}`:                 "lines[0].quantity",
	`{"lines":[{"sku":"a","sku":"a"}]}`:                                 "lines[0].sku",
	`{"lines":[{}]}`:                                                    "lines[0].sku",
	`{"lines":[{"quantity":1}]}`:                                        "lines[0].sku",
	`{"lines":[{"sku":""}]}`:                                            "lines[0].sku",
	`{"lines":[{"sku":null}]}`:                                          "lines[0].sku",
	`{"lines":[{"sku":1}]}`:                                             "lines[0].sku",
	`{"lines":[{"sku":["a"]}]}`:                                         "lines[0].sku",
	`{"lines":[{"sku":"."}]}`:                                           "lines[0].sku",
	`{"lines":[{"sku":".."}]}`:                                          "lines[0].sku",
	`{"lines":[{"sku":"-a"}]}`:                                          "lines[0].sku",
	`{"lines":[{"sku":"a/b"}]}`:                                         "lines[0].sku",
	`{"lines":[{"sku":"` + strings.Repeat("x", 65) + `"}]}`:             "lines[0].sku",
	`{"lines":[{"sku":"a","colour":1}]}`:                                "lines[0].colour",
	`{"lines":[{"SKU":"a"}]}`:                                           "lines[0].SKU",
	`{"lines":[{"sku":"a"},1]}`:                                         "lines[1]",
	`{"lines":[null]}`:                                                  "lines[0]",
	`{"lines":[[]]}`:                                                    "lines[0]",
	`{"lines":["a"]}`:                                                   "lines[0]",
	`{"lines":[{"sku":"a"}],"colour":1}`:                                "colour",
	`{"colour":1}`:                                                      "colour",
	`{"Lines":[]}`:                                                      "Lines",
	`{"lines":[{"sku":"a","quantity":01}]}`:                             "body",
	`{"lines":[{"sku":"a"},]}`:                                          "body",
	`{"lines":[{"sku":"a"}]`:                                            "body",
	`{"lines":[{"sku":"a"}]}}`:                                          "body",
	`{"lines":[{"sku":"a"}]} {}`:                                        "body",
	`{"lines":[,]}`:                                                     "body",
	"[]":                                                                "body",
	"null":                                                              "body",
	"\x00":                                                              "body",
	"{\"lines\":[{\"sku\":\"\xff\"}]}":                                  "body",
}

func TestMalformedLines(t *testing.T) {
	s := newScene(t).open(autumn())
	bodies := map[string]string{cart(sale.MaxLines + 1): "lines"}
	for body, field := range malformedLines {
		bodies[body] = field
	}
	for body, field := range bodies {
		before := s.counted(sale.OutcomeMalformed)
		r := s.send(http.MethodPost, autumnOrders, body, bearer("ann"))
		s.refused(r, sale.OutcomeMalformed, map[string]any{"field": field})
		require.Equal(t, formOfLines, r.members(t)["detail"])
		require.Equal(t, before+1, s.counted(sale.OutcomeMalformed))
	}
	require.Empty(t, s.stock.purchases())
}

// FuzzLines compares the fast reader of lines with the strict one, and the strict one with encoding/json.
func FuzzLines(f *testing.F) {
	for body := range malformedLines {
		f.Add([]byte(body))
	}
	for _, body := range []string{cart(3), cart(20), cart(21), `{"lines":[{"sku":"a","quantity":1},{"sku":"b"}]}`} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		strict, field := parseLinesStrictly(nil, body)
		if fast, ok := scanLines(nil, body); ok {
			require.Empty(t, field, "%q", body)
			require.Equal(t, textOf(strict), textOf(fast), "%q", body)
		}
		if field != "" {
			return
		}
		var document struct {
			Lines []struct {
				SKU      string
				Quantity *int
			}
		}
		require.NoError(t, json.Unmarshal(body, &document))
		require.NotEmpty(t, strict)
		require.Len(t, document.Lines, len(strict))
		require.LessOrEqual(t, len(strict), sale.MaxLines)
		seen := map[string]bool{}
		for i, line := range document.Lines {
			quantity := 1
			if line.Quantity != nil {
				quantity = *line.Quantity
			}
			require.Equal(t, fmt.Sprintf("%s %d", line.SKU, quantity), textOf(strict[i:i+1]))
			require.True(t, sale.ValidID(line.SKU) && quantity >= 1 && quantity <= sale.MaxQuantity && !seen[line.SKU])
			seen[line.SKU] = true
		}
	})
}

// TestUsualLinesDoNotAllocate: the lines of a usual purchase fit on the stack.
func TestUsualLinesDoNotAllocate(t *testing.T) {
	body := []byte(cart(usualLines))
	harness.NoAllocations(t, 100, func() {
		var room [usualLines]pressLine
		if lines, field := parseBody(room[:0], body, nil); field != "" || len(lines) != usualLines {
			panic(field)
		}
	})
}
