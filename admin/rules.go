package admin

import (
	"net/http"

	"flashsale/sale"
)

// rulesAnswer is the operators' rules, and beside them the engine's brake while there is one.
type rulesAnswer struct {
	sale.Rules
	Brake *sale.Brake `json:"brake,omitempty"`
}

// getRules answers with the rules in force. Every gateway follows them by the catalogue's version.
func (a *API) getRules(c *call) error {
	ctx, cancel := a.reading(c)
	defer cancel()
	rules, err := a.deps.Rules.Rules(ctx)
	if err != nil {
		return err
	}
	rules.Normalize()
	brake, err := a.deps.Rules.Brake(ctx)
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, rulesAnswer{rules, brake})
}

// putRules replaces all rules. A body with a version replaces only that version.
func (a *API) putRules(c *call) error {
	wanted, expect, err := decodeRules(c.body)
	if err != nil {
		return err
	}
	ctx, cancel := a.reading(c)
	defer cancel()
	stored, err := a.deps.Rules.PutRules(ctx, wanted, expect)
	if err != nil {
		return err
	}
	stored.Normalize()
	a.opts.Logger.Info("rules replaced", "version", stored.Version)
	return c.answer(http.StatusOK, stored)
}
