package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"flashsale/settings"
	"flashsale/test/harness"
)

// composeFile is the part of compose.yaml that the tests read; the decoder resolves its anchors.
type composeFile struct {
	Services map[string]composeService `yaml:"services"`
	Volumes  map[string]any            `yaml:"volumes"`
}

type composeService struct {
	Image       string            `yaml:"image"`
	Command     []string          `yaml:"command"`
	Environment map[string]string `yaml:"environment"`
	Ports       []string          `yaml:"ports"`
	Volumes     []string          `yaml:"volumes"`
	ReadOnly    bool              `yaml:"read_only"`
	CapDrop     []string          `yaml:"cap_drop"`
	DependsOn   map[string]struct {
		Condition string `yaml:"condition"`
	} `yaml:"depends_on"`
	Healthcheck *struct {
		Test []string `yaml:"test"`
	} `yaml:"healthcheck"`
	StopGracePeriod string `yaml:"stop_grace_period"`
}

// ours names the services that run the engine; each service has the name of its command.
var ours = []string{"migrate", "gateway", "settle"}

func readCompose(t *testing.T) composeFile {
	t.Helper()
	text, err := os.ReadFile("compose.yaml")
	require.NoError(t, err)
	var file composeFile
	require.NoError(t, yaml.Unmarshal(text, &file))
	return file
}

func TestComposeHasTheWholePath(t *testing.T) {
	compose := readCompose(t)
	for _, name := range append([]string{"redis", "kafka", "mysql"}, ours...) {
		require.Contains(t, compose.Services, name)
	}
	require.Len(t, compose.Services, 6)
	require.True(t, strings.HasPrefix(compose.Services["mysql"].Image, "mysql:8.4"))
	for name, service := range compose.Services {
		if !slices.Contains(ours, name) {
			require.Regexp(t, `^[a-z/]+:[0-9]+\.[0-9]+\.[0-9]+$`, service.Image, "%s: an image names its exact version", name)
		}
		for _, port := range service.Ports {
			require.True(t, strings.HasPrefix(port, "127.0.0.1:"), "%s publishes %s beyond this machine", name, port)
		}
		for _, volume := range service.Volumes {
			source, _, _ := strings.Cut(volume, ":")
			if !strings.HasPrefix(source, "./") {
				require.Contains(t, compose.Volumes, source)
				continue
			}
			require.FileExists(t, source)
		}
		if name != "migrate" { // it ends; its exit code is its health
			require.NotNil(t, service.Healthcheck, "%s has no health check", name)
		}
	}
}

func TestComposeStartsInOrder(t *testing.T) {
	compose := readCompose(t)
	for _, name := range []string{"gateway", "settle"} {
		depends := compose.Services[name].DependsOn
		require.Equal(t, "service_completed_successfully", depends["migrate"].Condition, name)
		require.Equal(t, "service_healthy", depends["redis"].Condition, name)
	}
	for _, store := range []string{"kafka", "mysql"} {
		require.Equal(t, "service_healthy", compose.Services["migrate"].DependsOn[store].Condition)
	}
}

func TestComposeContainersHaveNoRights(t *testing.T) {
	compose := readCompose(t)
	for _, name := range ours {
		require.True(t, compose.Services[name].ReadOnly, name)
		require.Equal(t, []string{"ALL"}, compose.Services[name].CapDrop, name)
	}
}

// The command in each container must accept the container's environment: no unknown name, no value out of range,
// nothing missing, no secret in the file.
func TestComposeSettingsAreAccepted(t *testing.T) {
	compose := readCompose(t)
	for _, name := range ours {
		service := compose.Services[name]
		require.Equal(t, []string{name}, service.Command)
		source, _, err := settings.FromCommandLine(nil, environ(service.Environment))
		require.NoError(t, err)
		loaded, err := source.Load(name)
		require.NoError(t, err, name)
		require.Empty(t, loaded.Warnings(), name)
	}
}

func TestComposeSecretsComeFromOutside(t *testing.T) {
	compose := readCompose(t)
	secret := map[string]bool{}
	for _, s := range settings.All() {
		secret[s.Env()] = s.Secret()
	}
	for _, name := range ours {
		for variable, value := range compose.Services[name].Environment {
			if secret[variable] {
				require.Contains(t, value, "${", "%s of %s is written in the file", variable, name)
			}
		}
	}
	require.Contains(t, compose.Services["mysql"].Environment["MYSQL_PASSWORD"], "${MYSQL_PASSWORD:?")
	for name, setting := range map[string]string{"redis": "${REDIS_PASSWORD:?", "kafka": "${KAFKA_PASSWORD:?"} {
		service := compose.Services[name]
		text := strings.Join(service.Command, " ")
		for _, value := range service.Environment {
			text += " " + value
		}
		require.Contains(t, text, setting, "%s asks for a password", name)
	}
	ignored, err := os.ReadFile(".gitignore")
	require.NoError(t, err)
	require.Contains(t, strings.Split(string(ignored), "\n"), ".env")
	unbuilt, err := os.ReadFile("Dockerfile.dockerignore")
	require.NoError(t, err)
	require.Contains(t, string(unbuilt), "**/.env")
}

// The commands in the head of the file must create every variable that the file requires, in a file that only its owner
// can read.
func TestComposeHeadMakesEveryVariable(t *testing.T) {
	harness.Program(t, "openssl", "openssl")
	text, err := os.ReadFile("compose.yaml")
	require.NoError(t, err)
	lines := regexp.MustCompile(`(?s)#   (\(umask 077;.*?> deploy/\.env\))`).FindStringSubmatch(string(text))
	require.NotNil(t, lines)
	folder := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(folder, "deploy"), 0o755))
	paste := exec.Command("sh", "-c", strings.ReplaceAll(lines[1], "\n#", "\n"))
	paste.Dir = folder
	output, err := paste.CombinedOutput()
	require.NoError(t, err, "%s", output)
	file := filepath.Join(folder, "deploy", ".env")
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	made, err := os.ReadFile(file)
	require.NoError(t, err)
	for _, used := range regexp.MustCompile(`\$\{([A-Z0-9_]+)`).FindAllStringSubmatch(string(text), -1) {
		require.Regexp(t, `(?m)^`+used[1]+`=[0-9a-f]{48}$`, string(made))
	}
}

// The stores' addresses in the environment are the other services, and settings that clients must share have one value.
func TestComposeServicesFindEachOther(t *testing.T) {
	compose := readCompose(t)
	for _, name := range ours {
		environment := compose.Services[name].Environment
		require.Equal(t, "redis:6379", environment["FLASHSALE_REDIS_ADDRS"])
		require.Contains(t, compose.Services["kafka"].Environment["KAFKA_ADVERTISED_LISTENERS"],
			environment["FLASHSALE_KAFKA_BROKERS"])
		require.Contains(t, environment["FLASHSALE_MYSQL_DSN"],
			"@tcp(mysql:3306)/"+compose.Services["mysql"].Environment["MYSQL_DATABASE"])
	}
	for name, listen := range map[string][]string{
		"gateway": {"FLASHSALE_GATEWAY_LISTEN", "FLASHSALE_ADMIN_LISTEN"}, "settle": {"FLASHSALE_SETTLE_LISTEN"},
	} {
		service := compose.Services[name]
		for _, variable := range listen {
			_, port, _ := strings.Cut(service.Environment[variable], ":")
			require.Contains(t, service.Ports, "127.0.0.1:"+port+":"+port, "%s %s", name, variable)
		}
		_, port, _ := strings.Cut(service.Environment[listen[len(listen)-1]], ":")
		require.Contains(t, strings.Join(service.Healthcheck.Test, " "), ":"+port+"/readyz", "not the buyers' listener")
		require.NotEmpty(t, service.StopGracePeriod)
	}
}

// environ fills in the variables as docker compose would from deploy/.env.
func environ(environment map[string]string) []string {
	reference := regexp.MustCompile(`\$\{([A-Z0-9_]+)[^}]*\}`)
	var all []string
	for name, value := range environment {
		all = append(all, name+"="+reference.ReplaceAllString(value, "0123456789abcdef0123456789abcdef-$1"))
	}
	slices.Sort(all)
	return all
}
