package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/anishathalye/porcupine"
)

// maxDescribed bounds the operations of an illegal window that are printed.
const maxDescribed = 40

// describe prints what stands around the place where the longest explanation of a window breaks off.
func describe(model porcupine.Model, ops []porcupine.Operation) string {
	_, info := porcupine.CheckOperationsVerbose(model, ops, windowTime)
	var longest []porcupine.Operation
	for _, part := range info.PartialLinearizationsOperations() {
		for _, one := range part {
			if len(one) > len(longest) {
				longest = one
			}
		}
	}
	explained := map[string]int{}
	for _, op := range longest {
		explained[line(op)]++
	}
	var text strings.Builder
	fmt.Fprintf(&text, "  %d of %d operations can be explained; the last of them and the first that cannot:\n", len(longest),
		len(ops))
	for _, op := range longest[max(0, len(longest)-maxDescribed/2):] {
		fmt.Fprintf(&text, "    %s\n", line(op))
	}
	slices.SortStableFunc(ops, func(a, b porcupine.Operation) int { return int(min(max(a.Return-b.Return, -1), 1)) })
	left := maxDescribed / 2
	for _, op := range ops {
		if explained[line(op)] > 0 {
			explained[line(op)]--
			continue
		}
		if left--; left < 0 {
			break
		}
		fmt.Fprintf(&text, "  ? %s\n", line(op))
	}
	return text.String()
}

func line(op porcupine.Operation) string {
	return fmt.Sprintf("%d to %d %+v", op.Call, op.Return, op.Input)
}
