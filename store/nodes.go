package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"flashsale/sale"
)

const sqlLeasedNodes = "SELECT node_id, holder FROM node_leases WHERE expires_ms > %s ORDER BY node_id"

// noNode returns the error of a gateway for which no node id is free. It lists the leased ids by machine, so that an operator
// finds processes that restart again and again, or a second shop on the database.
func (s *Store) noNode(ctx context.Context) error {
	leased := map[string][]int64{}
	err := each(ctx, s.db, fmt.Sprintf(sqlLeasedNodes, s.dialect.nowMS), nil, func(rows scanner) error {
		var node int64
		var holder string
		err := rows.Scan(&node, &holder)
		machine, _, _ := strings.Cut(holder, "/")
		leased[machine] = append(leased[machine], node)
		return err
	})
	return errors.Join(fmt.Errorf("lease a node id: none of %d is free: %s: %w", sale.MaxNode+1, nodesByMachine(leased),
		sale.ErrLeaseHeld), err)
}

// nodesByMachine lists node ids by machine: "0-3 7 of a, 4-6 of b".
func nodesByMachine(leased map[string][]int64) string {
	var parts []string
	for machine, nodes := range leased {
		parts = append(parts, fmt.Sprintf("%s of %s", ranges(nodes), machine))
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

// ranges lists sorted numbers, consecutive ones as a range.
func ranges(numbers []int64) string {
	var words []string
	for len(numbers) > 0 {
		n := 1
		for n < len(numbers) && numbers[n] == numbers[0]+int64(n) {
			n++
		}
		word := fmt.Sprint(numbers[0])
		if n > 1 {
			word = fmt.Sprintf("%d-%d", numbers[0], numbers[n-1])
		}
		words, numbers = append(words, word), numbers[n:]
	}
	return strings.Join(words, " ")
}
