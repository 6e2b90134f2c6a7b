package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"flashsale/test/harness"
)

// composed returns the environment of a service of deploy/compose.yaml, every password of it being the one given.
func composed(t *testing.T, service, password string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(harness.Root(t), "deploy", "compose.yaml"))
	require.NoError(t, err)
	var file struct {
		Services map[string]struct {
			Environment map[string]string `yaml:"environment"`
		} `yaml:"services"`
	}
	require.NoError(t, yaml.Unmarshal(text, &file))
	filled := map[string]string{}
	for name, value := range file.Services[service].Environment {
		filled[name] = regexp.MustCompile(`\$\{[A-Z0-9_]+[^}]*\}`).ReplaceAllString(value, password)
	}
	require.NotEmpty(t, filled)
	return filled
}

// imageSettings writes a broker's settings as its image makes them of the environment: KAFKA_LOG_DIRS is log.dirs.
func imageSettings(environment map[string]string, places *strings.Replacer) []byte {
	var lines strings.Builder
	for name, value := range environment {
		if key, of := strings.CutPrefix(name, "KAFKA_"); of && name != "KAFKA_LOG_DIRS" {
			fmt.Fprintf(&lines, "%s=%s\n", strings.ToLower(strings.ReplaceAll(key, "_", ".")), places.Replace(value))
		}
	}
	return []byte(lines.String())
}

// TestComposeKafkaAsksForThePassword runs a real broker with the settings of the compose file: the engine's commands, with
// theirs, come in by both names of the broker, and nobody comes in without the password.
func TestComposeKafkaAsksForThePassword(t *testing.T) {
	const user = "flashsale"
	password := harness.PasswordOf(user)
	inside, controller := harness.Address(t), harness.Address(t)
	kafka := harness.KafkaWith(t, user, func(outside string) []byte {
		return imageSettings(composed(t, "kafka", password), strings.NewReplacer("://:19092", "://"+inside, "kafka:19092", inside,
			"://:9092", "://"+outside, "127.0.0.1:9092", outside, "localhost:9093", controller))
	})
	var login []string
	for name, value := range composed(t, "migrate", password) {
		if strings.Contains(name, "_KAFKA_SASL_") {
			login = append(login, name+"="+value)
		}
	}
	require.Len(t, login, 3)
	s := newStack(t, servers{Kafka: kafka, Env: login}) // its migrate comes in from outside
	assert.Contains(t, s.Succeed("migrate", "--kafka-brokers", inside), "up to date")
	for _, wrong := range [][]string{{"--kafka-sasl-password", "a-guess"}, {"--kafka-sasl-username", "somebody"}} {
		assert.NotZero(t, s.Command(append([]string{"migrate"}, wrong...)...).Code, "%v", wrong)
	}
	var bare []string
	for _, variable := range s.Env {
		if !strings.Contains(variable, "_KAFKA_SASL_") {
			bare = append(bare, variable)
		}
	}
	assert.NotZero(t, harness.Run(t, "", s.Bin, bare, "migrate").Code, "without a login")
}
