package admin

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"

	"flashsale/sale"
)

//go:embed openapi.json
var openAPI []byte

// documentOf returns the OpenAPI document with the binary's version in it. The embedded document is always a JSON
// object: the tests of the binary check it.
func documentOf(version string) []byte {
	var document map[string]any
	if err := json.Unmarshal(openAPI, &document); err != nil {
		panic(fmt.Sprintf("embedded openapi.json: %v", err))
	}
	info, ok := document["info"].(map[string]any)
	if !ok {
		panic("embedded openapi.json: info is not an object")
	}
	if version != "" {
		info["version"] = version
	}
	encoded, err := sale.JSON(document)
	if err != nil {
		panic(fmt.Sprintf("embedded openapi.json: %v", err))
	}
	return encoded
}

func (a *API) serveDocument(c *call) error {
	send(c.w, http.StatusOK, "application/json", a.document)
	return nil
}
