// Package bugs tests the checkers: it seeds one known bug after the other into the engine and expects a check to find it.
// A check that finds nothing proves nothing until it was seen to find something.
//
// The product contains no bug. The table lists each bug as exact replacements of text in the product's files, together
// with the checks that have to catch it. The lab writes the changed copies of all those files to a folder and compiles
// the packages under check once, with the tag `faults` and with go's -overlay, which puts the copies in the place of the
// files. In replaced text a bug asks faults.Bug for its name, which the environment variable FLASHSALE_BUG chooses when a
// check starts. Each check must pass without a bug and fail with its bug:
//
//	make seeded-bugs
//
// A replacement whose old text is not in its file exactly once fails, and names bug, file and text. To see only that:
//
//	go test ./test/bugs -run TestTable
package bugs
