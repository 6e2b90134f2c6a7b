package settings

import (
	"slices"
	"strings"
)

// configFlag names the YAML file. It is not a setting, because a file cannot name itself.
const configFlag = "config"

// Source is everything that gives settings to one command line.
type Source struct {
	configFile string
	flags      map[string]string // by name of the setting
	environ    []string          // NAME=value, as from os.Environ
}

// FromCommandLine takes the flags of settings and --config out of args and returns the other arguments in their order.
// A flag is --name=value or --name value; a flag of type true or false means true alone and takes a value only after "=".
// If a flag is repeated, the last one wins. FromCommandLine does not touch what follows "--". The error is *Faults: a flag
// without its value.
func FromCommandLine(args, environ []string) (Source, []string, error) {
	source := Source{flags: map[string]string{}, environ: slices.Clone(environ)}
	ix, faults := newIndex(), &Faults{}
	var rest []string
	for i := 0; i < len(args); i++ {
		if args[i] == "--" {
			rest = append(rest, args[i:]...)
			break
		}
		flag, value, hasValue := strings.Cut(strings.TrimPrefix(args[i], "--"), "=")
		name, ours := ix.byFlag[flag]
		if !strings.HasPrefix(args[i], "--") || (!ours && flag != configFlag) {
			rest = append(rest, args[i])
			continue
		}
		switch {
		case hasValue:
		case ours && ix.alone(name):
			value = "true"
		case i+1 < len(args) && !strings.HasPrefix(args[i+1], "--"):
			i++
			value = args[i]
		default:
			faults.addf("--%s needs a value", flag)
			continue
		}
		source.set(flag, name, value)
	}
	return source, rest, faults.orNil()
}

func (s *Source) set(flag, name, value string) {
	if flag == configFlag {
		s.configFile = value
		return
	}
	s.flags[name] = value
}

// alone reports whether the flag of a setting needs no value.
func (ix index) alone(name string) bool {
	s, setting := ix.byName[name]
	return setting && s.Type() == typeOf(new(bool))
}

// layer is the values of one source, a koanf provider.
type layer struct {
	values map[string]any    // by name: string, or filePath for a secret in a file
	origin map[string]string // by name: the flag, variable or line that gave the value
}

// filePath is the value of a secret whose companion names a file. Load reads the file only if this layer wins.
type filePath string

func newLayer() layer { return layer{values: map[string]any{}, origin: map[string]string{}} }

// put adds a value. A secret that one source gives twice, by itself and by its file, is a fault.
func (l layer) put(ix index, name, value, origin string, faults *Faults) {
	var stored any = value
	if secret, companion := ix.secretOf(name); companion {
		name, stored = secret, filePath(value)
	}
	if earlier, doubled := l.origin[name]; doubled {
		faults.addf("%s: given twice, by %s and by %s", name, earlier, origin)
		return
	}
	l.values[name], l.origin[name] = stored, origin
}

func (s Source) flagLayer(ix index, faults *Faults) layer {
	l := newLayer()
	for _, name := range sortedKeys(s.flags) {
		l.put(ix, name, s.flags[name], "flag --"+flagName(name), faults)
	}
	return l
}

// environmentLayer reads the variables. An empty variable counts as not set, because compose files and charts write one
// for every value that is left out. environmentLayer returns the unknown ones as warnings.
func (s Source) environmentLayer(ix index, faults *Faults) (l layer, warnings []string) {
	l = newLayer()
	variables := map[string]string{} // the last of equal names wins, as in a shell
	for _, entry := range s.environ {
		if name, value, ok := strings.Cut(entry, "="); ok && strings.HasPrefix(name, envPrefix) {
			variables[name] = value
		}
	}
	for _, variable := range sortedKeys(variables) {
		name, known := ix.byEnv[variable]
		switch {
		case !known:
			warnings = append(warnings, "unknown environment variable "+variable)
		case variables[variable] != "":
			l.put(ix, name, variables[variable], "environment "+variable, faults)
		}
	}
	return l, warnings
}

func defaultLayer() layer {
	l := newLayer()
	for _, s := range All() {
		l.values[s.Name], l.origin[s.Name] = s.Default, "default"
	}
	return l
}
