package dsn

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Grants returns the lines of SHOW GRANTS: the rights of the account that is connected.
func Grants(ctx context.Context, db *sql.DB) (lines []string, err error) {
	rows, err := db.QueryContext(ctx, "SHOW GRANTS")
	if err != nil {
		return nil, fmt.Errorf("read the account's grants: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			return nil, fmt.Errorf("read the account's grants: %w", err)
		}
		lines = append(lines, line)
	}
	return lines, rows.Err()
}

var grantLine = regexp.MustCompile("^GRANT (.+) ON (.+) TO ")

// MissingRights returns which rights on a schema no line of SHOW GRANTS names. Grants by roles are not followed.
func MissingRights(grants []string, schema string, wanted []string) (missing []string) {
	granted := map[string]bool{}
	for _, line := range grants {
		parts := grantLine.FindStringSubmatch(line)
		if parts == nil || !covers(parts[2], schema) {
			continue
		}
		for _, right := range strings.Split(parts[1], ",") {
			granted[strings.TrimSpace(right)] = true
		}
	}
	if granted["ALL PRIVILEGES"] || granted["ALL"] {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(wanted), func(right string) bool { return granted[right] })
}

// covers reports whether the object of a grant contains a whole schema. In its name % and _ stand for others, unless a
// backslash precedes them.
func covers(object, schema string) bool {
	if object == "*.*" {
		return true
	}
	name, whole := strings.CutSuffix(object, ".*")
	if !whole {
		return false
	}
	pattern := regexp.QuoteMeta(strings.Trim(name, "`"))
	pattern = strings.NewReplacer(`\\_`, "_", `\\%`, "%", "_", ".", "%", ".*").Replace(pattern)
	matched, err := regexp.MatchString("^"+pattern+"$", schema)
	return err == nil && matched
}
