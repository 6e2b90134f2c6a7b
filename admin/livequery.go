package admin

import (
	"slices"
	"strconv"
	"strings"

	"flashsale/sale"
)

// Bounds of the part of a sale's SKUs that a live answer has.
const (
	liveRows    = 20
	maxLiveRows = 200
	maxLiveText = 200 // bytes of ?q=
)

// liveSorts are the orders of the rows: that of the sale's definition, and by a number, the largest first.
func liveSorts() []string { return []string{"sku", "available", "sold", "orders"} }

// liveQuery selects rows of a live answer. Watchers with equal queries share one encoded answer.
type liveQuery struct {
	text  string // in lower case: a part of the SKU or the name
	sort  string
	from  int
	limit int
}

// liveQuery reads ?q=&sort=&from=&limit=. It reports every fault at once.
func (c *call) liveQuery() (liveQuery, error) {
	values := c.r.URL.Query()
	q := liveQuery{text: strings.ToLower(values.Get("q")), sort: "sku", limit: liveRows}
	var faults sale.FieldErrors
	if len(q.text) > maxLiveText {
		faults = append(faults, sale.Fieldf("q", "must have at most %d bytes", maxLiveText))
	}
	if text := values.Get("sort"); text != "" {
		if q.sort = text; !slices.Contains(liveSorts(), text) {
			faults = append(faults, sale.Fieldf("sort", "must be one of %s", strings.Join(liveSorts(), ", ")))
		}
	}
	number := func(name string, value *int, least, most int) {
		text := values.Get(name)
		if text == "" {
			return
		}
		n, err := strconv.Atoi(text)
		if *value = n; err != nil || n < least || n > most {
			faults = append(faults, sale.Fieldf(name, "must be %d to %d", least, most))
		}
	}
	number("from", &q.from, 0, sale.MaxItems)
	number("limit", &q.limit, 1, maxLiveRows)
	if len(faults) > 0 {
		return q, faults
	}
	return q, nil
}
