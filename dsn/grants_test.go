package dsn

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The grants of an account are read as the server matches them.
func TestMissingRights(t *testing.T) {
	for _, c := range []struct {
		grants  []string
		missing []string
	}{
		{nil, []string{"CREATE", "ALTER", "INDEX"}},
		{[]string{"GRANT ALL PRIVILEGES ON *.* TO `root`@`%` WITH GRANT OPTION"}, nil},
		{[]string{"GRANT USAGE ON *.* TO `a`@`%`", "GRANT SELECT, CREATE, ALTER, INDEX ON `flash_sale`.* TO `a`@`%`"}, nil},
		{[]string{"GRANT CREATE, ALTER, INDEX ON `flash\\_sale`.* TO `a`@`%`"}, nil},
		{[]string{"GRANT CREATE, ALTER, INDEX ON `flash%`.* TO `a`@`%`"}, nil},
		{[]string{"GRANT CREATE, ALTER ON `flashXsale`.* TO `a`@`%`"}, []string{"CREATE", "ALTER", "INDEX"}},
		{[]string{"GRANT CREATE ON `flash_sale`.`orders` TO `a`@`%`"}, []string{"CREATE", "ALTER", "INDEX"}},
		{[]string{"GRANT CREATE ON `flash_sale`.* TO `a`@`%`"}, []string{"ALTER", "INDEX"}},
	} {
		missing := MissingRights(c.grants, "flash_sale", []string{"CREATE", "ALTER", "INDEX"})
		require.ElementsMatch(t, c.missing, missing, "%q", c.grants)
	}
}
