package scripts

import (
	"regexp"
	"strings"
	"testing"
)

// contract is the header and the body of a script.
type contract struct {
	head string
	body string
	keys []string // the lines that describe KEYS
	args []string // the lines that describe ARGV
}

var (
	usedKey    = regexp.MustCompile(`KEYS\[(\d)\]`)
	usedArg    = regexp.MustCompile(`ARGV\[(\d+)\]`)
	keyLine    = regexp.MustCompile(`^KEYS\[\d\] \{bucket\}:(meta +hash|stock +hash|buyers +hash|journal +stream) +\S`)
	firstWrite = regexp.MustCompile(`call\('(XADD|HSET|XDEL|UNLINK|DEL)'`)
)

func readContract(t *testing.T, s Script) contract {
	t.Helper()
	var c contract
	lines := strings.Split(s.Source, "\n")
	for i, line := range lines {
		text, comment := strings.CutPrefix(line, "--")
		if !comment {
			c.body = strings.Join(lines[i:], "\n")
			break
		}
		text = strings.TrimSpace(text)
		c.head += text + "\n"
		if strings.HasPrefix(text, "KEYS") {
			c.keys = append(c.keys, text)
		}
		if strings.Contains(text, "ARGV") {
			c.args = append(c.args, text)
		}
	}
	return c
}

// Every header names purpose, keys with their type, arguments, replies, invariant and cost, and agrees with the body.
func TestHeaders(t *testing.T) {
	for _, s := range All() {
		t.Run(s.Name, func(t *testing.T) {
			c := readContract(t, s)
			for _, part := range []string{"Purpose: ", "KEYS[1]", "ARGV", "Reply", "Invariant: ", "Cost: "} {
				if !strings.Contains(c.head, part) {
					t.Errorf("the header has no %q", part)
				}
			}
			for _, key := range c.keys {
				if !keyLine.MatchString(key) {
					t.Errorf("key without name and type: %s", key)
				}
			}
			for _, used := range usedKey.FindAllString(c.body, -1) {
				if !strings.Contains(strings.Join(c.keys, "\n"), used) {
					t.Errorf("the body uses %s, which the header does not describe", used)
				}
			}
			for _, key := range c.keys {
				name, _, _ := strings.Cut(key, " ")
				if !strings.Contains(c.body, name) && !strings.Contains(c.head, name+" {bucket}:journal  stream  stays") {
					t.Errorf("the header describes %s, which the body does not use", name)
				}
			}
			for _, used := range usedArg.FindAllString(c.body, -1) {
				if !strings.Contains(strings.Join(c.args, "\n"), used) {
					t.Errorf("the body uses %s, which the header does not describe", used)
				}
			}
			for _, line := range strings.Split(s.Source, "\n") {
				if len(line) > 120 {
					t.Errorf("line of %d characters: %.40s…", len(line), line)
				}
			}
			if strings.Contains(c.body, "cjson") || strings.Contains(c.body, "bit.") {
				t.Error("cjson and bit lose 19-digit ids")
			}
		})
	}
}

// Redis does not roll a script back: the reserve script makes no check after its first write.
func TestReserveChecksBeforeItWrites(t *testing.T) {
	body := readContract(t, ReserveScript()).body
	write := firstWrite.FindStringIndex(body)
	if write == nil {
		t.Fatal("no write found")
	}
	if last := strings.LastIndex(body, "return nothing("); last < 0 || last > write[0] {
		t.Errorf("a refusal at %d follows the first write at %d", last, write[0])
	}
}

// No script uses a key that is not in KEYS: a cluster routes a call by KEYS alone.
func TestScriptsUseOnlyTheirKeys(t *testing.T) {
	call := regexp.MustCompile(`call\('([A-Z]+)',? ?([^,)]*)`)
	keyless := map[string]bool{"TIME": true, "INFO": true}
	for _, s := range All() {
		for _, found := range call.FindAllStringSubmatch(readContract(t, s).body, -1) {
			if keyless[found[1]] || strings.HasPrefix(found[2], "KEYS[") || strings.HasSuffix(found[2], "_key") {
				continue
			}
			t.Errorf("%s: %s of %q, which is not a key of the call", s.Name, found[1], found[2])
		}
	}
}

// Redis names a script by its digest.
func TestDigests(t *testing.T) {
	names := map[string]bool{}
	for _, s := range All() {
		if len(s.SHA) != 40 || names[s.SHA] || names[s.Name] || s.Source == "" {
			t.Errorf("%s: digest %q", s.Name, s.SHA)
		}
		names[s.SHA], names[s.Name] = true, true
	}
	if embedded, err := files.ReadDir("."); err != nil || len(All()) != len(embedded) {
		t.Errorf("%d scripts of %d files: %v", len(All()), len(embedded), err)
	}
}

// The reserve script names the other scripts that move stock, so a server that has it has exactly those.
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
