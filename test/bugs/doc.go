// Package bugs tests the checks: it seeds one known bug after the other into the engine and expects a check to fail. A
// check that never fails proves nothing.
//
// The product contains no bug. The table lists each bug as exact replacements of text in the product's files, together with
// the checks that have to catch it. The lab writes changed copies of all those files to a folder and compiles the packages
// under check once, with the tag `faults` and with go's -overlay, which replaces the files by the copies. The seeded code
// asks faults.Bug for its bug's name, which the environment variable FLASHSALE_BUG selects when a check starts. Each check
// must pass without a bug and fail with its bug:
//
//	make seeded-bugs
//
// A replacement whose old text is not in its file exactly once fails, and names bug, file and text. To see only that:
//
//	go test ./test/bugs -run TestTable
package bugs
