package tidy

import (
	"io/fs"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/settings"
)

// house is the real tree.
func house(t *testing.T) fs.FS {
	t.Helper()
	return os.DirFS("../..")
}

func houseSources(t *testing.T) []*source {
	t.Helper()
	parsed, err := sources(house(t))
	require.NoError(t, err)
	require.Greater(t, len(parsed), 50, "the tree was not found")
	return parsed
}

func nothing(t *testing.T, found []finding) {
	t.Helper()
	for _, f := range found {
		t.Error(f)
	}
}

func TestImports(t *testing.T)         { nothing(t, importFindings(houseSources(t))) }
func TestFunctionLengths(t *testing.T) { nothing(t, functionFindings(houseSources(t))) }
func TestTestsPerSource(t *testing.T)  { nothing(t, balanceFindings(houseSources(t))) }
func TestPackages(t *testing.T)        { nothing(t, packageFindings(houseSources(t))) }
func TestNoSkipNoSleep(t *testing.T)   { nothing(t, testFindings(houseSources(t))) }
func TestNoSilentDiscard(t *testing.T) { nothing(t, discardFindings(houseSources(t))) }
func TestNoPackageState(t *testing.T)  { nothing(t, stateFindings(houseSources(t))) }
func TestOneLease(t *testing.T)        { nothing(t, leaseFindings(houseSources(t))) }
func TestOneLoop(t *testing.T)         { nothing(t, loopFindings(houseSources(t))) }
func TestFileLengths(t *testing.T)     { everywhere(t, fileFindings) }
func TestWords(t *testing.T)           { everywhere(t, wordFindings) }
func TestLineWidths(t *testing.T) {
	everywhere(t, widthFindings)
}
func TestTopLevel(t *testing.T)        { everywhere(t, topFindings) }
func TestScriptContracts(t *testing.T) { everywhere(t, scriptFindings) }

// An exception leaves with the code that needed it.
func TestExceptionsAreNeeded(t *testing.T) {
	nothing(t, idleExcuses(houseSources(t), leaseBreaches, map[string]string{"lease/": ownLeases["lease/"]}))
	nothing(t, idleExcuses(houseSources(t), loopBreaches, ownLoops))
}

func everywhere(t *testing.T, rule func(fs.FS) ([]finding, error)) {
	t.Helper()
	found, err := rule(house(t))
	require.NoError(t, err)
	nothing(t, found)
}

func page(t *testing.T, name string) string {
	t.Helper()
	text, err := fs.ReadFile(house(t), name)
	require.NoError(t, err)
	return string(text)
}

func TestOutcomesAreDocumented(t *testing.T) {
	nothing(t, outcomeFindings("docs/buyers.md", page(t, "docs/buyers.md")))
}

func TestMetricsAreDocumented(t *testing.T) {
	nothing(t, metricFindings(houseSources(t), "docs/operations.md", page(t, "docs/operations.md")))
}

func TestRoomsAreDocumented(t *testing.T) {
	names, err := files(house(t))
	require.NoError(t, err)
	nothing(t, roomFindings(names, "docs/architecture.md", page(t, "docs/architecture.md")))
}

func TestModuleIsTidy(t *testing.T) {
	found, err := moduleFindings("../..")
	require.NoError(t, err)
	nothing(t, found)
}

func TestSettingsAreDocumented(t *testing.T) {
	nothing(t, settingFindings("docs/operations.md", page(t, "docs/operations.md"), settings.All()))
}
