package admin

import "net/http"

// getRules answers with the rules in force. Every gateway follows them by the catalogue's version.
func (a *API) getRules(c *call) error {
	ctx, cancel := a.reading(c)
	defer cancel()
	rules, err := a.deps.Rules.Rules(ctx)
	if err != nil {
		return err
	}
	rules.Normalize()
	return c.answer(http.StatusOK, rules)
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
