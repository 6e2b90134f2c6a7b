package scripts

import (
	"strings"
	"testing"
)

// Every seeded bug has its one place in the scripts it names, and changes them; a build without the tag has none of them.
func TestSeededBugsHaveTheirPlace(t *testing.T) {
	for name, changes := range bugs {
		changed := map[string]bool{}
		for _, c := range changes {
			text, err := files.ReadFile(c.script + ".lua")
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if found := change(c.script, string(text), changes); found == string(text) {
				t.Errorf("%s does not change %s", name, c.script)
			}
			if withBugs(c.script, string(text)) != string(text) {
				t.Errorf("%s is in %s though nobody chose it", name, c.script)
			}
			changed[c.script] = true
		}
		for _, s := range All() {
			text, err := files.ReadFile(s.Name + ".lua")
			if err != nil {
				t.Fatal(err)
			}
			if !changed[s.Name] && change(s.Name, string(text), changes) != string(text) {
				t.Errorf("%s changes %s, which it does not name", name, s.Name)
			}
		}
	}
}

// A bug whose place is gone is no bug: whoever chooses it hears so at once.
func TestABugWithoutPlacePanics(t *testing.T) {
	for _, source := range []string{"nothing", "here and here"} {
		func() {
			defer func() {
				if cause, ok := recover().(string); !ok || !strings.Contains(cause, "no single place") {
					t.Errorf("%q: %v", source, cause)
				}
			}()
			change("a", source, []seeded{{"a", "here", "there"}})
		}()
	}
}

// The reserve script names the others that move stock, so that it cannot be there without exactly them.
func TestReserveNamesTheOtherFencedScripts(t *testing.T) {
	fenced := Fenced()
	last := fenced[len(fenced)-1]
	if last.Name != "reserve" {
		t.Fatalf("%s is loaded last", last.Name)
	}
	for _, s := range fenced[:len(fenced)-1] {
		if !strings.Contains(last.Source, "-- loaded after "+s.Name+" "+s.SHA+"\n") {
			t.Errorf("the reserve script does not name %s %s", s.Name, s.SHA)
		}
	}
}
