package settings

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/access"
	"flashsale/sale"
)

func TestTokensOfTheOperatorsAPI(t *testing.T) {
	lines := write(t, "tokens", "wall:viewer:viewers-token-0123456789\n\n  night:operator:night:with:colons-0123\n")
	s := mustLoad(t, "gateway", nil, complete("FLASHSALE_ADMIN_TOKENS_FILE="+lines,
		"FLASHSALE_SHOP_TOKEN=shops-token-0123456789"))
	require.Equal(t, []access.Token{
		{Name: "wall", Role: sale.RoleViewer, Secret: "viewers-token-0123456789"},
		{Name: "night", Role: sale.RoleOperator, Secret: "night:with:colons-0123"},
		{Name: "admin", Role: sale.RoleAdmin, Secret: s.Admin.Token.Reveal()},
		{Name: "shop", Role: sale.RoleShop, Secret: "shops-token-0123456789"},
	}, s.Tokens())
	alone := mustLoad(t, "gateway", nil, complete("FLASHSALE_ADMIN_TOKEN=", "FLASHSALE_ADMIN_TOKENS=a:admin:0123456789abcdef"))
	require.Len(t, alone.Tokens(), 1, "admin.token is not needed beside admin.tokens")
}

func TestTokensThatAreRefused(t *testing.T) {
	for lines, fault := range map[string]string{
		"a:viewer":                            "must be lines name:role:token",
		"a:boss:0123456789abcdef":             "must be lines name:role:token",
		"a:viewer:short":                      "must be lines name:role:token",
		"a b:viewer:0123456789abcdef":         "must be lines name:role:token",
		"a:viewer:0123456789 bcdef":           "must be lines name:role:token",
		"engine:viewer:0123456789abcdef":      "the name engine is that of the engine's own changes",
		"admin:viewer:0123456789abcdef":       "the name admin occurs twice",
		"a:viewer:" + strings.Repeat("t", 20): "",
	} {
		environ := complete("FLASHSALE_ADMIN_TOKENS=" + lines)
		if fault == "" {
			mustLoad(t, "gateway", nil, environ)
			continue
		}
		faults := faultsOf(t, "gateway", nil, environ)
		require.Len(t, faults, 1)
		require.True(t, strings.HasPrefix(faults[0], "admin.tokens: "+fault), faults[0])
		require.NotContains(t, faults[0], "0123456789")
	}
	s := mustLoad(t, "gateway", nil, complete())
	faults := faultsOf(t, "gateway", nil, complete("FLASHSALE_ADMIN_TOKENS=a:viewer:"+s.Admin.Token.Reveal()))
	require.Contains(t, faults[0], "a and admin must have different tokens")
}
