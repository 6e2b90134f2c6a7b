package settings

import (
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	koanfmaps "github.com/knadh/koanf/maps"
	"github.com/knadh/koanf/v2"

	"flashsale/access"
)

// Load reads every setting for a command, such as "gateway" or "load verdict". The error is *Faults and names everything
// that is wrong: unknown keys, values of the wrong type or out of range, settings that the command needs and no source
// gives. Load then also returns the settings that it could read, so that a caller can look for more faults.
func (s Source) Load(command string) (*Settings, error) {
	ix, faults := newIndex(), &Faults{}
	fromFile := fileLayer(ix, s.configFile, faults)
	fromEnvironment, warnings := s.environmentLayer(ix, faults)
	layers := []layer{defaultLayer(), fromFile, fromEnvironment, s.flagLayer(ix, faults)}

	merged := koanf.New(".")
	settings := &Settings{origins: map[string]string{}, warnings: warnings, tls: map[string]*tls.Config{}}
	for _, l := range layers {
		if err := merged.Load(l, nil); err != nil {
			return nil, fmt.Errorf("merge settings: %w", err)
		}
		maps.Copy(settings.origins, l.origin)
	}
	for _, setting := range All() {
		settings.fill(setting, merged.Get(setting.Name), faults)
	}
	settings.checkNeeded(command, faults)
	settings.checkTogether(faults)
	settings.checkTLS(command, faults)
	return settings, faults.orNil()
}

// fill reads one value and checks it against the setting's rule. A fault names the source of the value.
func (s *Settings) fill(setting Setting, value any, faults *Faults) {
	origin := s.origins[setting.Name]
	text, ok := value.(string)
	if path, inFile := value.(filePath); inFile {
		var err error
		if text, err = readSecret(string(path)); err != nil {
			faults.addf("%s: %v (%s)", setting.Name, err, origin)
			return
		}
		origin += ", which names " + string(path)
		s.origins[setting.Name] = origin
	} else if !ok {
		panic(fmt.Sprintf("setting %s holds a %T", setting.Name, value)) // a layer has only these two types
	}
	target := setting.bind(s)
	if err := parse(text, target); err != nil {
		faults.addf("%s: %v (%s)", setting.Name, err, origin)
	} else if setting.check.broken(target) {
		faults.addf("%s: must be %s (%s)", setting.Name, setting.check.text, origin)
	}
}

// readSecret returns the content of a secret's file without the newline that editors and echo append.
func readSecret(path string) (string, error) {
	text, err := readBounded(path, maxSecretBytes)
	if err != nil {
		return "", err
	}
	text = strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")
	if text == "" {
		return "", errors.New("the file is empty")
	}
	return text, nil
}

func (s *Settings) checkNeeded(command string, faults *Faults) {
	for _, setting := range All() {
		if setting.Name == "admin.token" && command == gateway && s.Admin.Tokens != "" {
			continue // its tokens do without this one
		}
		if setting.NeededBy(command) && format(setting.bind(s)) == "" && !faults.name(setting.Name) {
			faults.addf("%s: %s needs it; set %s or %s%s", setting.Name, command, setting.Env(), setting.Env(),
				strings.ToUpper(fileSuffix))
		}
	}
}

// name reports whether there is a fault of this setting already.
func (f *Faults) name(setting string) bool {
	return slices.ContainsFunc(f.Lines, func(line string) bool { return strings.HasPrefix(line, setting+": ") })
}

// checkTogether finds the faults of settings that do not fit each other.
func (s *Settings) checkTogether(faults *Faults) {
	if s.Shop.Token != "" && s.Shop.Token == s.Admin.Token {
		faults.addf("shop.token: must differ from admin.token, or the shop may do all that operators may do")
	} else if err := access.Check(s.Tokens()); err != nil && !faults.name("admin.tokens") {
		faults.addf("admin.tokens: %v", err)
	}
	if mechanism := s.Kafka.SASLMechanism; (mechanism == "") != (s.Kafka.SASLUsername == "" && s.Kafka.SASLPassword == "") {
		faults.addf("kafka.sasl_mechanism: set mechanism, username and password together or none of them")
	} else if mechanism != "" && (s.Kafka.SASLUsername == "" || s.Kafka.SASLPassword == "") {
		faults.addf("kafka.sasl_mechanism: %s needs kafka.sasl_username and kafka.sasl_password", mechanism)
	}
	if s.Redis.SentinelMaster == "" && (s.Redis.SentinelUsername != "" || s.Redis.SentinelPassword != "") {
		faults.addf("redis.sentinel_master: redis.sentinel_username and redis.sentinel_password have no effect without it")
	}
}

// Read returns the layer's values, nested by section. Read and ReadBytes make a layer a koanf provider.
func (l layer) Read() (map[string]any, error) { return koanfmaps.Unflatten(l.values, "."), nil }

// ReadBytes returns an error: koanf calls it only for layers that need a parser.
func (l layer) ReadBytes() ([]byte, error) {
	return nil, errors.New("a layer of settings is not a document")
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
