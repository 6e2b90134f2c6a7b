package settings

import (
	"regexp"
	"slices"

	"flashsale/access"
	"flashsale/sale"
)

// tokensRule parses the lines of admin.tokens. Its text says what may be wrong, because a fault must not repeat a token.
var tokensRule = rule{"lines name:role:token: role viewer, operator, admin or shop, token of 16 characters",
	func(target any) bool {
		_, err := access.Parse(target.(*Secret).Reveal())
		return err == nil
	}}

var hostForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,252}[a-z0-9])?$`)

var hostsRule = rule{"host names in lower case, without ports, separated by commas", func(target any) bool {
	return !slices.ContainsFunc(*target.(*[]string), func(name string) bool { return !hostForm.MatchString(name) })
}}

// Tokens returns every token of the operators' API: those of admin.tokens, and those of admin.token and shop.token with the
// names admin and shop.
func (s *Settings) Tokens() []access.Token {
	tokens, err := access.Parse(s.Admin.Tokens.Reveal())
	if err != nil {
		return nil // reported by the rule of admin.tokens
	}
	for _, one := range []struct {
		role   sale.Role
		secret Secret
	}{{sale.RoleAdmin, s.Admin.Token}, {sale.RoleShop, s.Shop.Token}} {
		if one.secret != "" {
			tokens = append(tokens, access.Token{Name: string(one.role), Role: one.role, Secret: one.secret.Reveal()})
		}
	}
	return tokens
}
