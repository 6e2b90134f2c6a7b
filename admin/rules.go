package admin

import "net/http"

// getRules answers the present set. Every gateway follows it by the catalogue's version.
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

// putRules replaces the whole set. A body that names a version replaces that version or nothing.
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
