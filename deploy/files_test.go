package deploy_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/settings"
	"flashsale/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	return string(text)
}

// redisLine is one directive of redis.conf.
type redisLine struct{ name, value string }

// redisLines returns the directives and fails for a directive without a comment directly above it.
func redisLines(t *testing.T) []redisLine {
	t.Helper()
	var all []redisLine
	explained := false
	for n, line := range strings.Split(read(t, "redis.conf"), "\n") {
		switch {
		case line == "":
			explained = false
		case strings.HasPrefix(line, "# "):
			explained = true
		default:
			require.True(t, explained, "redis.conf line %d has no reason above it: %s", n+1, line)
			name, value, _ := strings.Cut(line, " ")
			all = append(all, redisLine{name, strings.Trim(value, `"`)})
			explained = false
		}
	}
	return all
}

// A real Redis must accept every line and run with its value.
func TestRedisTakesEveryLine(t *testing.T) {
	var args []string
	lines := redisLines(t)
	for _, line := range lines {
		args = append(args, "--"+line.name, line.value)
	}
	server := harness.Redis(t, args...)
	for _, line := range lines {
		reply, ok := server.MustDo(t, "CONFIG", "GET", line.name).([]any)
		require.True(t, ok)
		require.Len(t, reply, 2, "Redis has no setting %s", line.name)
		require.Equal(t, inBytes(t, line.value), reply[1], line.name)
	}
}

// inBytes returns Redis's answer for a value that may be a size with its unit.
func inBytes(t *testing.T, value string) string {
	for unit, shift := range map[string]int{"mb": 20, "gb": 30} {
		if number, is := strings.CutSuffix(value, unit); is {
			n, err := strconv.Atoi(number)
			require.NoError(t, err)
			return strconv.Itoa(n << shift)
		}
	}
	return value
}

// The directives that the engine needs.
func TestRedisKeepsWhatItIsTold(t *testing.T) {
	has := map[string]string{}
	for _, line := range redisLines(t) {
		has[line.name] = line.value
	}
	require.Equal(t, "yes", has["appendonly"])
	require.Equal(t, "noeviction", has["maxmemory-policy"])
	require.Contains(t, []string{"everysec", "always"}, has["appendfsync"])
}

func TestImageIsStaticAndHasNoRights(t *testing.T) {
	dockerfile := read(t, "Dockerfile")
	require.Contains(t, dockerfile, "CGO_ENABLED=0")
	require.Contains(t, dockerfile, "go build -tags nodev ", "no embedded engines in production")
	stages := strings.Split(dockerfile, "\nFROM ")
	require.Len(t, stages, 3)
	user := regexp.MustCompile(`(?m)^USER ([0-9]+):([0-9]+)$`).FindStringSubmatch(stages[2])
	require.NotNil(t, user, "the last stage runs as a numeric user")
	require.NotEqual(t, "0", user[1])
	require.NotContains(t, stages[2], "RUN ", "nothing is installed into the image")
	require.Contains(t, dockerfile, `ENTRYPOINT ["/usr/local/bin/flashsale"]`)
}

// The image's compiler is the one of go.mod, and the linker sets variables that exist.
func TestImageIsBuiltAsTheTreeIs(t *testing.T) {
	dockerfile := read(t, "Dockerfile")
	wanted := regexp.MustCompile(`(?m)^go ([0-9]+\.[0-9]+\.[1-9][0-9]*)$`).FindStringSubmatch(read(t,
		filepath.Join("..", "go.mod")))
	require.Contains(t, dockerfile, "FROM golang:"+wanted[1]+" AS build")
	for _, image := range regexp.MustCompile(`(?m)^FROM (\S+)`).FindAllStringSubmatch(dockerfile, -1) {
		if image[1] != "scratch" {
			require.Regexp(t, `^[a-z]+:[0-9]+\.[0-9]+\.[0-9]+$`, image[1], "an image names its exact version")
		}
	}
	flags := regexp.MustCompile(`-X flashsale/app\.([a-z]+)=`)
	makefile := read(t, filepath.Join("..", "Makefile"))
	set := setOf(flags, makefile)
	require.Len(t, set, 2)
	require.Equal(t, set, setOf(flags, dockerfile))
	variables := read(t, filepath.Join("..", "app", "build.go"))
	for name := range set {
		require.Regexp(t, `(?m)^\t`+name+`\b`, variables)
	}
}

func setOf(pattern *regexp.Regexp, text string) map[string]bool {
	set := map[string]bool{}
	for _, hit := range pattern.FindAllStringSubmatch(text, -1) {
		set[hit[1]] = true
	}
	return set
}

// Every variable that a file of this folder names is a setting.
func TestFilesNameRealSettings(t *testing.T) {
	known := map[string]bool{}
	for _, s := range settings.All() {
		known[s.Env()] = true
		known[s.Env()+"_FILE"] = s.Secret()
	}
	names := regexp.MustCompile(`FLASHSALE_[A-Z0-9_]+`)
	for _, file := range []string{"Dockerfile", "compose.yaml", "nginx.conf", "proxy.md", "redis.conf"} {
		for _, name := range names.FindAllString(read(t, file), -1) {
			require.True(t, known[name], "%s names %s", file, name)
		}
	}
}

// The reference proxy keeps the points of proxy.md that a change could silently remove.
func TestProxyDoesNotRepeatPresses(t *testing.T) {
	conf := read(t, "nginx.conf")
	for _, line := range []string{
		"proxy_next_upstream error timeout;", "max_fails=1 fail_timeout=5s;", "proxy_http_version 1.1;",
		`proxy_set_header Connection "";`, "location /v1/ {",
		"proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;", "proxy_read_timeout 35s;",
	} {
		require.Contains(t, conf, line)
	}
	require.NotRegexp(t, `(?m)^[^#]*non_idempotent`, conf, "nginx would repeat a press that a gateway may have taken")
	require.NotContains(t, conf, "8081;", "the operators' listener is not passed on")
}
