package gateway

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

type apiResponse struct {
	Ref         string                     `json:"$ref"`
	Description string                     `json:"description"`
	Headers     map[string]json.RawMessage `json:"headers"`
	Content     map[string]json.RawMessage `json:"content"`
}

type apiOperation struct {
	OperationID string                 `json:"operationId"`
	Security    []map[string][]string  `json:"security"`
	Responses   map[string]apiResponse `json:"responses"`
}

type apiDocument struct {
	OpenAPI    string
	Paths      map[string]map[string]json.RawMessage
	Components struct {
		Responses map[string]apiResponse
		Schemas   map[string]struct {
			Enum       []string
			Required   []string
			Properties map[string]json.RawMessage
			AnyOf      []struct{ Enum []string }
		}
	}
}

func document(t *testing.T) apiDocument {
	t.Helper()
	var d apiDocument
	require.NoError(t, json.Unmarshal(openAPIDocument, &d))
	return d
}

func (d apiDocument) operation(t *testing.T, path, method string) apiOperation {
	t.Helper()
	var o apiOperation
	require.Contains(t, d.Paths[path], method)
	require.NoError(t, json.Unmarshal(d.Paths[path][method], &o))
	return o
}

func (d apiDocument) resolve(r apiResponse) apiResponse {
	if r.Ref == "" {
		return r
	}
	return d.Components.Responses[strings.TrimPrefix(r.Ref, "#/components/responses/")]
}

// TestDocumentHasTheRoutersPaths: every path and method of the router is in the document, and nothing else.
func TestDocumentHasTheRoutersPaths(t *testing.T) {
	d := document(t)
	require.Equal(t, "3.1.0", d.OpenAPI)
	require.Len(t, d.Paths, len(paths)-1)
	for _, p := range paths[1:] {
		var methods []string
		for name := range d.Paths[p.template] {
			if name != "parameters" {
				methods = append(methods, strings.ToUpper(name))
			}
		}
		sort.Strings(methods)
		require.Equal(t, p.allow, strings.Join(methods, ", "), p.template)
	}
}

// TestDocumentHasEveryOutcome: the codes in their order, each under its status at the purchase, with Retry-After if the
// outcome table has it.
func TestDocumentHasEveryOutcome(t *testing.T) {
	d := document(t)
	var codes []string
	for _, o := range sale.Outcomes() {
		codes = append(codes, o.String())
	}
	require.Equal(t, codes, d.Components.Schemas["Outcome"].Enum)

	for _, p := range []path{pathOrders, pathItemOrders} {
		d.hasEveryOutcome(t, d.operation(t, paths[p].template, "post"))
	}
}

func (d apiDocument) hasEveryOutcome(t *testing.T, buy apiOperation) {
	t.Helper()
	statuses := map[string]bool{}
	for _, o := range sale.Outcomes() {
		row := o.Row()
		status := strconv.Itoa(row.Status)
		statuses[status] = true
		require.Contains(t, buy.Responses, status, row.Code)
		response := d.resolve(buy.Responses[status])
		if row.Title == "" {
			require.Contains(t, response.Content, "application/json", row.Code)
			require.Contains(t, response.Headers, "Location")
			continue
		}
		require.Contains(t, response.Content, sale.ProblemType, row.Code)
		require.Contains(t, response.Description, "`"+row.Code+"`")
		if row.RetryAfter {
			require.Contains(t, response.Headers, "Retry-After", row.Code)
		}
	}
	statuses["408"], statuses["500"] = true, true // no outcome of a purchase, but an answer
	require.Len(t, buy.Responses, len(statuses))
}

// TestDocumentNamesOnlyCodesThatExist looks at every code in every description.
func TestDocumentNamesOnlyCodesThatExist(t *testing.T) {
	d := document(t)
	known := slices.Clone(d.Components.Schemas["Outcome"].Enum)
	others := d.Components.Schemas["Code"].AnyOf[1].Enum
	require.ElementsMatch(t, []string{codeOrderNotFound, codeNotConfirmed, codeWrongStatus, codeRequestTimeout, codeInternal},
		others)
	known = append(known, others...)
	named := regexp.MustCompile("`([a-z_]+)`")
	for path, methods := range d.Paths {
		for method := range methods {
			if method == "parameters" || method == "head" {
				continue
			}
			for status, r := range d.operation(t, path, method).Responses {
				response := d.resolve(r)
				require.NotEmpty(t, response.Description, "%s %s %s", method, path, status)
				if _, problem := response.Content[sale.ProblemType]; !problem {
					continue
				}
				for _, code := range named.FindAllStringSubmatch(response.Description, -1) {
					if code[1] != "field" {
						require.Contains(t, known, code[1], "%s %s %s", method, path, status)
					}
				}
			}
		}
	}
}

// TestDocumentSaysWhereTokensAreNeeded compares the document with the gateway's behaviour.
func TestDocumentSaysWhereTokensAreNeeded(t *testing.T) {
	s := newScene(t).open(autumn())
	d := document(t)
	fill := strings.NewReplacer("{sale}", "autumn", "{sku}", "phone", "{order_id}", "7")
	for path, methods := range d.Paths {
		for method := range methods {
			if method == "parameters" {
				continue
			}
			operation := d.operation(t, path, method)
			body := "" // a purchase needs a good one to get as far as the token
			if path == paths[pathOrders].template && method == "post" {
				body = `{"lines":[{"sku":"phone"}]}`
			}
			r := s.send(strings.ToUpper(method), fill.Replace(path), body)
			require.Equal(t, len(operation.Security) > 0, r.status == http.StatusUnauthorized, "%s %s: %d", method, path,
				r.status)
			if method != "head" {
				require.Contains(t, operation.Responses, strconv.Itoa(r.status), "%s %s", method, path)
			}
		}
	}
}

// TestDocumentedMembers: the schemas have every member that the gateway writes.
func TestDocumentedMembers(t *testing.T) {
	d := document(t)
	order := rowOf(7, sale.StatusRefused)
	order.Reason = sale.ReasonFenced
	var members map[string]any
	require.NoError(t, json.Unmarshal(sale.AppendOrder(nil, &order), &members))
	for name := range members {
		require.Contains(t, d.Components.Schemas["Order"].Properties, name)
	}
	require.Len(t, d.Components.Schemas["Order"].Properties, len(members))
	order.Lines = append(order.Lines, sale.Line{SKU: "case", Quantity: 1})
	clear(members)
	require.NoError(t, json.Unmarshal(sale.AppendOrder(nil, &order), &members))
	for _, name := range d.Components.Schemas["Order"].Required {
		require.Contains(t, members, name, "also of an order of several lines")
	}

	s := newScene(t).open(autumn())
	for name := range s.send("GET", "/v1/sales/autumn", "").members(t) {
		require.Contains(t, d.Components.Schemas["Sale"].Properties, name)
	}
}

func TestDocumentIsServed(t *testing.T) {
	s := newScene(t)
	r := s.send("GET", "/openapi.json", "")
	require.Equal(t, http.StatusOK, r.status)
	require.Equal(t, "application/json", r.header.Get("Content-Type"))
	require.Equal(t, string(openAPIDocument), r.body)
	require.Equal(t, fmt.Sprint(len(openAPIDocument)), r.header.Get("Content-Length"))
}
