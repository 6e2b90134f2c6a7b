package settings

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// given is one setting as the sources of a random command line give it.
type given struct {
	setting Setting
	file    string
	env     string
	flag    string
}

// want is the value and the source that must win.
func (g given) want() (value, origin string) {
	switch {
	case g.flag != "":
		return g.flag, "flag " + g.setting.Flag()
	case g.env != "":
		return g.env, "environment " + g.setting.Env()
	case g.file != "":
		return g.file, "file "
	}
	return g.setting.Default, "default"
}

// goodValue draws a value that the setting accepts, empty for not given.
func goodValue(t *rapid.T, s Setting, label string) string {
	if !rapid.Bool().Draw(t, label+" given") {
		return ""
	}
	port := func(low int) string { return fmt.Sprint(rapid.IntRange(low, 65535).Draw(t, label+" port")) }
	switch {
	case s.Name == "mysql.dsn", s.Name == "mysql.read_dsn":
		return "u:p@tcp(h:" + port(1) + ")/db?tls=skip-verify"
	case s.Name == "log.level":
		return rapid.SampledFrom([]string{"debug", "info", "warn", "error"}).Draw(t, label)
	case s.Name == "admin.url":
		return "http://host:" + port(1)
	case s.Name == "admin.hosts":
		return rapid.StringMatching(`[a-z]{1,9}\.[a-z]{2,9}`).Draw(t, label)
	case strings.HasSuffix(s.Name, ".listen"):
		return "host:" + port(0)
	}
	switch s.Type() {
	case "secret":
		return rapid.StringMatching(`[!-~]{40,60}`).Draw(t, label)
	case "list":
		return strings.Join(rapid.SliceOfN(rapid.StringMatching(`[a-z]{1,9}:[1-9]`), 1, 4).Draw(t, label), ",")
	case "networks":
		return rapid.StringMatching(`10\.[1-9]\.0\.0/16`).Draw(t, label)
	case "true or false":
		return fmt.Sprint(rapid.Bool().Draw(t, label))
	case "number":
		return fmt.Sprint(rapid.IntRange(1024, 1100).Draw(t, label))
	case "duration":
		if s.Name == "kafka.retention" {
			return fmt.Sprintf("%dh", rapid.IntRange(1, 1000).Draw(t, label))
		}
		return fmt.Sprintf("%ds", rapid.IntRange(1, 3).Draw(t, label))
	}
	return rapid.StringMatching(`[a-z][a-z0-9]{0,20}`).Draw(t, label)
}

// steady are the settings whose good values do not depend on the values of others; small ranges are left out, because
// goodValue draws from one range for all numbers.
func steady() []Setting {
	return slices.DeleteFunc(All(), func(s Setting) bool {
		return strings.HasPrefix(s.Name, "kafka.sasl_") || strings.HasPrefix(s.Name, "redis.sentinel_") ||
			s.Name == "kafka.replication" || s.Name == "kafka.partitions" ||
			s.Name == "kafka.linger" || s.Name == "redis.connections" || s.Name == "reserve.batch_max_orders" ||
			s.Name == "reserve.batch_max_wait" || s.Name == "admin.tokens" || s.Name == "brake.journal_percent"
	})
}

// For each setting on its own, the strongest of the three sources wins, and the listing names it.
func TestTheStrongestSourceWins(t *testing.T) {
	folder := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		all := make([]given, 0, len(steady()))
		var args, environ []string
		file := map[string][]string{}
		for _, s := range steady() {
			g := given{s, goodValue(t, s, s.Name+" file"), goodValue(t, s, s.Name+" env"), goodValue(t, s, s.Name+" flag")}
			all = append(all, g)
			if g.file != "" {
				section, member, nested := strings.Cut(s.Name, ".")
				if !nested {
					section, member = "", s.Name
				}
				file[section] = append(file[section], member+": '"+strings.ReplaceAll(g.file, "'", "''")+"'")
			}
			if g.env != "" {
				environ = append(environ, s.Env()+"="+g.env)
			}
			if g.flag != "" {
				args = append(args, s.Flag()+"="+g.flag)
			}
		}
		path := filepath.Join(folder, "c.yaml")
		require.NoError(t, os.WriteFile(path, []byte(yamlOfSections(file)), 0o600))
		source, rest, err := FromCommandLine(append(args, "--config", path), environ)
		require.NoError(t, err)
		require.Empty(t, rest)
		loaded, err := source.Load("config")
		require.NoError(t, err)
		for _, g := range all {
			value, origin := g.want()
			target := g.setting.bind(loaded)
			if secret, ok := target.(*Secret); ok {
				require.Equal(t, value, secret.Reveal(), g.setting.Name)
			} else {
				require.Equal(t, value, format(target), g.setting.Name)
			}
			require.True(t, strings.HasPrefix(loaded.origins[g.setting.Name], origin), "%s: %s", g.setting.Name,
				loaded.origins[g.setting.Name])
		}
	})
}

func yamlOfSections(file map[string][]string) string {
	var text strings.Builder
	for _, section := range slices.Sorted(maps.Keys(file)) {
		indent := ""
		if section != "" {
			text.WriteString(section + ":\n")
			indent = "  "
		}
		for _, line := range file[section] {
			text.WriteString(indent + line + "\n")
		}
	}
	return text.String()
}

// A wrong value in any source is one fault of its setting, and no fault names another setting.
func TestEveryWrongValueIsNamed(t *testing.T) {
	wrong := map[string]string{
		"text": "", "secret": "short", "list": "no-port", "networks": "10.0.0.0/99", "true or false": "maybe", "number": "-1",
		"duration": "-1s",
	}
	for _, s := range All() {
		bad := wrong[s.Type()]
		if s.Type() == "text" && s.Range() != "" || s.Name == "admin.hosts" {
			bad = "{wrong}"
		}
		if bad == "" || s.Type() == "secret" && s.Range() == "" {
			continue // every text is allowed
		}
		t.Run(s.Name, func(t *testing.T) {
			file := write(t, "c.yaml", yamlOf(s.Name, bad))
			for origin, faults := range map[string][]string{
				"file " + file:           faultsOf(t, "version", []string{"--config", file}, nil),
				"environment " + s.Env(): faultsOf(t, "version", nil, []string{s.Env() + "=" + bad}),
				"flag " + s.Flag():       faultsOf(t, "version", []string{s.Flag() + "=" + bad}, nil),
			} {
				own := slices.DeleteFunc(faults, func(fault string) bool {
					return strings.HasPrefix(fault,
						"kafka.sasl_mechanism: set mechanism")
				})
				require.Len(t, own, 1, "%v", faults)
				assert.True(t, strings.HasPrefix(own[0], s.Name+": "), own[0])
				assert.Contains(t, own[0], "("+origin)
				assert.True(t, s.Range() == "" || !s.Secret() || !strings.Contains(own[0], bad), own[0])
			}
		})
	}
}

// A wrong value in a weaker source is not a fault, because a stronger source overrides it.
func TestAWrongValueThatLosesIsNoFault(t *testing.T) {
	file := write(t, "c.yaml", "kafka:\n  partitions: many\n")
	s := mustLoad(t, "config", []string{"--config", file, "--redis-tls=true"},
		[]string{"FLASHSALE_KAFKA_PARTITIONS=4", "FLASHSALE_REDIS_TLS=perhaps"})
	assert.Equal(t, 4, s.Kafka.Partitions)
	assert.True(t, s.Redis.TLS)
}

// A YAML file with every default gives the same values as no file.
func TestDefaultsSurviveAFile(t *testing.T) {
	file := map[string][]string{}
	for _, s := range All() {
		section, member, nested := strings.Cut(s.Name, ".")
		if !nested {
			section, member = "", s.Name
		}
		file[section] = append(file[section], fmt.Sprintf("%s: %s", member, s.Default))
	}
	path := write(t, "c.yaml", yamlOfSections(file))
	want, got := mustLoad(t, "config", nil, nil), mustLoad(t, "config", []string{"--config", path}, nil)
	want.origins, got.origins = nil, nil
	assert.Equal(t, want, got)
}

// Two loads share no memory: a change in the settings of one process does not appear in those of another.
func TestLoadsShareNothing(t *testing.T) {
	source, _, err := FromCommandLine(nil, nil)
	require.NoError(t, err)
	a, err := source.Load("config")
	require.NoError(t, err)
	b, err := source.Load("config")
	require.NoError(t, err)
	a.Kafka.Brokers[0], a.origins["namespace"] = "changed:1", "changed"
	assert.Equal(t, "127.0.0.1:9092", b.Kafka.Brokers[0])
	assert.Equal(t, "default", b.origins["namespace"])
	All()[0].Name = "changed"
	assert.Equal(t, "namespace", All()[0].Name)
}

// No file makes Load panic, and Load reports every fault of a file in Faults.
func FuzzConfigFile(f *testing.F) {
	for _, seed := range []string{
		"", "kafka:\n  brokers: [a:1, b:2]\n", "kafka: &k {tls: true}\nredis: *k\n", "a: &a [*a]\n",
		"kafka:\n  <<: {tls: true}\n",
		"? {a: b}\n: c\n", "admin:\n  token: !!binary aGVsbG8=\n", "namespace: |\n  a\n  b\n", "--- {}\n...\n--- {}\n", "\x00",
		"\xff\xfe", "redis:\n\ttls: true\n",
		"gateway: {ack_timeout: 1s, ack_timeout: 2s}\n", "mysql.dsn: u@/db\n",
	} {
		f.Add([]byte(seed))
	}
	folder := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		if strings.Contains(string(data), fileSuffix) {
			return // it would read a file of this machine
		}
		path := filepath.Join(folder, "c.yaml")
		require.NoError(t, os.WriteFile(path, data, 0o600))
		source, _, err := FromCommandLine([]string{"--config", path}, nil)
		require.NoError(t, err)
		s, err := source.Load("config")
		if err != nil {
			var faults *Faults
			require.ErrorAs(t, err, &faults)
			return
		}
		require.Len(t, s.Values(), len(All()))
	})
}
