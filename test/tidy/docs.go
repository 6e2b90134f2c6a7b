package tidy

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"flashsale/sale"
	"flashsale/settings"
)

func place(name string, line int) string { return fmt.Sprintf("%s:%d", name, line) }

// outcomeFindings compares the outcome table with the page for the buyer's app: each outcome has a table row that names
// its code and its status.
func outcomeFindings(name, page string) []finding {
	var found []finding
	for _, outcome := range sale.Outcomes() {
		row := outcome.Row()
		if !hasRow(page, row) {
			fault := fmt.Sprintf("no row with `%s` and %d", row.Code, row.Status)
			found = append(found, finding{name, fault})
		}
	}
	return append(found, inventedCodes(name, page)...)
}

// hasRow reports whether a row of a Markdown table holds the code in backquotes and the status. A row may hold several.
func hasRow(page string, row sale.OutcomeRow) bool {
	for line := range strings.Lines(page) {
		if strings.HasPrefix(line, "|") && strings.Contains(line, "`"+row.Code+"`") &&
			strings.Contains(line, strconv.Itoa(row.Status)) {
			return true
		}
	}
	return false
}

var statusAndCode = regexp.MustCompile("\\b([2345][0-9]{2}) `([a-z_]+)`")

// otherCodes are the codes of the buyers' API that no purchase can be answered with.
var otherCodes = map[string]bool{"order_not_found": true, "not_confirmed": true, "wrong_status": true}

// inventedCodes names codes that the page gives beside a status and that no outcome has.
func inventedCodes(name, page string) []finding {
	known := map[string]int{}
	for _, outcome := range sale.Outcomes() {
		known[outcome.Row().Code] = outcome.Row().Status
	}
	var found []finding
	for _, hit := range statusAndCode.FindAllStringSubmatch(page, -1) {
		status, is := known[hit[2]]
		if !otherCodes[hit[2]] && (!is || strconv.Itoa(status) != hit[1]) {
			found = append(found, finding{name, fmt.Sprintf("%s `%s` is no outcome", hit[1], hit[2])})
		}
	}
	return found
}

// settingFindings compares the list of settings with the operator's page.
func settingFindings(name, page string, list []settings.Setting) []finding {
	var found []finding
	for _, s := range list {
		if !strings.Contains(page, s.Env()) && !strings.Contains(page, "`"+s.Name+"`") {
			found = append(found, finding{name, "does not name the setting " + s.Name})
		}
	}
	return append(found, inventedSettings(name, page, list)...)
}

var environmentName = regexp.MustCompile(`\bFLASHSALE_[A-Z0-9_]*[A-Z0-9]\b`)

// inventedSettings names variables of the page that no setting has. The harness's own begin with FLASHSALE_TEST_.
func inventedSettings(name, page string, list []settings.Setting) []finding {
	known := map[string]bool{}
	for _, s := range list {
		known[s.Env()] = true
		known[s.Env()+"_FILE"] = s.Secret()
	}
	var found []finding
	for _, variable := range environmentName.FindAllString(page, -1) {
		if !known[variable] && !strings.HasPrefix(variable, "FLASHSALE_TEST_") {
			found = append(found, finding{name, "names " + variable + ", which is no setting"})
		}
	}
	return found
}
