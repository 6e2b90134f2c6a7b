package bugs

// Check is a test that has to catch a bug: the package it lives in, the tests to run, further flags.
type Check struct {
	Package string
	Run     string
	Flags   []string
}

// Bug is one seeded bug.
type Bug struct {
	Name  string // as faults.Bug and the table in scripts name it
	What  string // what the engine does wrong
	Check Check
}

// simulated is the check of whole sales under faults in virtual time.
func simulated(sales string) Check {
	return Check{"test/sim", "TestSales$", []string{"-sim.n=" + sales}}
}

func unit(pkg, run string) Check { return Check{Package: pkg, Run: run} }
