package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"flashsale/faults"
	"flashsale/sale"
)

const sqlRules = "SELECT rules_version, body, version FROM rules WHERE id = 1"

const sqlPutRules = "UPDATE rules SET rules_version = ?, body = ?, version = ? WHERE id = 1"

// Rules returns the present rules. A new database has the default rules with version 0.
func (s *Store) Rules(ctx context.Context) (sale.Rules, error) {
	rules, _, err := readRules(ctx, s.db, "")
	return rules, err
}

// PutRules replaces all rules and returns them with their version, one above the last. If expect is not nil and not the
// present version, the error is a *sale.VersionError. For invalid rules it is a *sale.FieldError.
func (s *Store) PutRules(ctx context.Context, rules sale.Rules, expect *int64) (sale.Rules, error) {
	if err := rules.Validate(); err != nil {
		return sale.Rules{}, err
	}
	rules.Normalize()
	err := s.transact(ctx, func(tx *sql.Tx) error {
		present, _, err := readRules(ctx, tx, s.dialect.lock)
		if err != nil {
			return err
		}
		if expect != nil && *expect != present.Version {
			return &sale.VersionError{Present: present.Version}
		}
		rules.Version = present.Version + 1
		if err := writeRules(ctx, tx, &rules); err != nil {
			return err
		}
		return s.note(ctx, tx, sale.Change{Verb: sale.VerbRules, Target: sale.TargetRules, Before: present, After: rules})
	})
	if err != nil {
		return sale.Rules{}, fmt.Errorf("put rules: %w", err)
	}
	faults.Point("store.rules-put")
	return rules, nil
}

func writeRules(ctx context.Context, tx *sql.Tx, rules *sale.Rules) error {
	body, err := json.Marshal(rules)
	if err != nil {
		return err
	}
	version, err := nextVersion(ctx, tx)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, sqlPutRules, rules.Version, string(body), version)
	return err
}

// readRules returns the rules and the catalogue version of their last change.
func readRules(ctx context.Context, q querier, lock string) (sale.Rules, int64, error) {
	rules := sale.DefaultRules() // for members that the body leaves out; it has null for a limit that is off
	var number, version int64
	var body string
	if err := q.QueryRowContext(ctx, sqlRules+lock).Scan(&number, &body, &version); err != nil {
		return sale.Rules{}, 0, fmt.Errorf("read rules: %w", err)
	}
	if err := json.Unmarshal([]byte(body), &rules); err != nil {
		return sale.Rules{}, 0, fmt.Errorf("read rules version %d: %w", number, err)
	}
	rules.Version = number
	rules.Normalize()
	return rules, version, nil
}
