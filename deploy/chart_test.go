package deploy_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"flashsale/settings"
	"flashsale/test/harness"
)

// helm is the version that lints and renders the chart in tests.
const helm = "helm.sh/helm/v4/cmd/helm@v4.3.1"

// valueSets are the values files of testdata/chart. The golden file of each is what helm template makes of it.
var valueSets = []string{"minimal", "production", "canary"}

// object is a member of YAML or JSON with members.
type object = map[string]any

// render runs helm template with a set of values and further arguments.
func render(t *testing.T, set string, args ...string) harness.Result {
	t.Helper()
	words := append([]string{"template", "flashsale", "chart", "--namespace", "shop",
		"--values", filepath.Join("testdata", "chart", set+".yaml")}, args...)
	return harness.Run(t, "", harness.GoTool(t, helm), nil, words...)
}

// rendered returns what helm template makes of a set of values.
func rendered(t *testing.T, set string, args ...string) string {
	t.Helper()
	result := render(t, set, args...)
	require.Zero(t, result.Code, "%s", result.Stderr)
	return result.Stdout
}

// manifests decodes what was rendered, by "Kind name".
func manifests(t *testing.T, text string) map[string]object {
	t.Helper()
	found := map[string]object{}
	for decoder := yaml.NewDecoder(strings.NewReader(text)); ; {
		var one object
		err := decoder.Decode(&one)
		if errors.Is(err, io.EOF) {
			return found
		}
		require.NoError(t, err)
		if one != nil {
			key := one["kind"].(string) + " " + at[string](t, one, "metadata", "name")
			require.NotContains(t, found, key, "rendered twice")
			found[key] = one
		}
	}
}

// at returns the member at a path of names and indices.
func at[T any](t *testing.T, from any, path ...any) T {
	t.Helper()
	here := from
	for _, step := range path {
		switch step := step.(type) {
		case string:
			of, is := here.(object)
			require.True(t, is, "%v has no member %v", path, step)
			here = of[step]
		case int:
			of, is := here.([]any)
			require.True(t, is && step < len(of), "%v has no element %v", path, step)
			here = of[step]
		}
	}
	value, is := here.(T)
	require.True(t, is, "%v is %T %v", path, here, here)
	return value
}

// environmentOf returns the environment of the first container of a pod's spec.
func environmentOf(t *testing.T, spec object) map[string]string {
	t.Helper()
	env := map[string]string{}
	for _, one := range at[[]any](t, spec, "containers", 0, "env") {
		name := at[string](t, one, "name")
		require.NotContains(t, env, name)
		env[name] = at[string](t, one, "value")
	}
	return env
}

// The golden files are what the chart makes of the value sets.
func TestChartRendersAsTheGoldenFiles(t *testing.T) {
	for _, set := range valueSets {
		golden := filepath.Join("testdata", "chart", set+".golden.yaml")
		found := rendered(t, set)
		if *write {
			require.NoError(t, os.WriteFile(golden, []byte(found), 0o644))
		}
		require.True(t, read(t, golden) == found,
			"%s differs: write it anew with go test ./deploy -write, and look at the difference", set)
	}
}

func TestChartIsLinted(t *testing.T) {
	for _, set := range valueSets {
		result := harness.Run(t, "", harness.GoTool(t, helm), nil, "lint", "chart", "--strict", "--values",
			filepath.Join("testdata", "chart", set+".yaml"))
		require.Zero(t, result.Code, "%s%s", result.Stdout, result.Stderr)
	}
}

// A number of a million is no float, whether it comes from a file or from the command line.
func TestChartWritesNumbersAsSettingsReadThem(t *testing.T) {
	exponent := regexp.MustCompile(`[0-9]e\+[0-9]`)
	for _, set := range valueSets {
		require.NotRegexp(t, exponent, rendered(t, set))
	}
	text := rendered(t, "minimal", "--set", "settings.gateway.max_in_flight=1000000,settings.brake.rows=20000000")
	all := manifests(t, text)
	gateway := environmentOf(t, podOf(t, all["Deployment flashsale-gateway"]))
	require.Equal(t, "1000000", gateway["FLASHSALE_GATEWAY_MAX_IN_FLIGHT"])
	settle := environmentOf(t, podOf(t, all["Deployment flashsale-settle"]))
	require.Equal(t, "20000000", settle["FLASHSALE_BRAKE_ROWS"])

	// Numbers of a file are floats, those of the command line are not.
	file := filepath.Join(t.TempDir(), "values.yaml")
	require.NoError(t, os.WriteFile(file, []byte(strings.Join([]string{
		"migrate: {deadlineSeconds: 1000000}", "metrics: {prometheus: \"http://p\"}",
		"gateway: {replicas: 1000000}"}, "\n")), 0o600))
	text = rendered(t, "minimal", "--values", file)
	require.NotRegexp(t, exponent, text)
	require.Equal(t, 1_000_000, at[int](t, manifests(t, text)["Job flashsale-migrate"], "spec", "activeDeadlineSeconds"))
	require.NoError(t, os.WriteFile(file, []byte(strings.Join([]string{"metrics: {prometheus: \"http://p\"}",
		"settings: {gateway: {max_connections: 2000000}}",
		"gateway: {autoscaling: {kind: keda, connections: 1000000}, resources: {limits: {memory: 128Gi}}}",
		"settle: {autoscaling: {kind: keda, lagRecords: 1000000}}"}, "\n")), 0o600))
	text = rendered(t, "minimal", "--values", file)
	require.NotRegexp(t, exponent, text)
	for process, threshold := range map[string]string{"gateway": "threshold", "settle": "lagThreshold"} {
		trigger := at[object](t, manifests(t, text)["ScaledObject flashsale-"+process], "spec", "triggers", 0, "metadata")
		require.Equal(t, "1000000", trigger[threshold])
	}
}

// Topics have three copies, where the engine's own default is one.
func TestChartMakesThreeCopiesOfATopic(t *testing.T) {
	for values, want := range map[string]string{"": "3", "settings.kafka.replication=1": "1"} {
		all := manifests(t, rendered(t, "minimal", "--set", values))
		migrate := environmentOf(t, podOf(t, all["Job flashsale-migrate"]))
		require.Equal(t, want, migrate["FLASHSALE_KAFKA_REPLICATION"], values)
	}
}

// podOf returns the spec of the pods of a workload.
func podOf(t *testing.T, workload object) object {
	t.Helper()
	return at[object](t, workload, "spec", "template", "spec")
}

// processes are the pods of a rendered chart by the command that they run.
func processes(t *testing.T, all map[string]object) map[string]object {
	t.Helper()
	pods := map[string]object{}
	for key, one := range all {
		switch one["kind"] {
		case "Deployment", "Rollout", "Job":
			pods[key] = podOf(t, one)
		case "AnalysisTemplate":
			for _, metric := range at[[]any](t, one, "spec", "metrics") {
				if provider := at[object](t, metric, "provider"); provider["job"] != nil {
					pods[key] = podOf(t, at[object](t, provider, "job"))
				}
			}
		}
	}
	return pods
}

// Each process accepts its environment: no unknown name, no value out of range, nothing missing, and each secret from a file.
func TestChartSettingsAreAccepted(t *testing.T) {
	folder := t.TempDir()
	secrets := map[string]string{"mysql.dsn": "u:p@tcp(db:3306)/flashsale", "admin.tokens": "ann:operator:0123456789abcdef-ann"}
	for _, s := range settings.All() {
		if s.Secret() {
			text := secrets[s.Name]
			if text == "" {
				text = strings.Repeat("0123456789abcdef-"+s.Name, 3)
			}
			require.NoError(t, os.WriteFile(filepath.Join(folder, s.Name), []byte(text), 0o600))
		}
	}
	places := strings.NewReplacer("/etc/flashsale/secrets", folder, "/etc/flashsale/files", mountedFiles(t))
	for _, set := range valueSets {
		for key, pod := range processes(t, manifests(t, rendered(t, set))) {
			args := at[[]any](t, pod, "containers", 0, "args")
			command := args[0].(string)
			environ := []string{}
			for name, value := range environmentOf(t, pod) {
				environ = append(environ, name+"="+places.Replace(value))
			}
			source, _, err := settings.FromCommandLine(nil, environ)
			require.NoError(t, err)
			loaded, err := source.Load(command)
			require.NoError(t, err, "%s: %s", set, key)
			require.Empty(t, loaded.Warnings(), "%s: %s", set, key)
			require.Equal(t, keysOf(t, pod), secretsIn(environ, folder), "%s: %s mounts what its environment names", set, key)
		}
	}
}

// mountedFiles returns a folder with what production.yaml has in files.
func mountedFiles(t *testing.T) (folder string) {
	t.Helper()
	folder = t.TempDir()
	authority := harness.NewAuthority(t, "authority")
	client := authority.Client("flashsale", time.Now().Add(time.Hour))
	for name, from := range map[string]string{"authorities/kafka.pem": authority.File, "client/tls.crt": client.Cert,
		"client/tls.key": client.Key} {
		to := filepath.Join(folder, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(to), 0o700))
		require.NoError(t, os.WriteFile(to, []byte(read(t, from)), 0o600))
	}
	return folder
}

// keysOf returns the secrets that a pod mounts.
func keysOf(t *testing.T, pod object) map[string]bool {
	t.Helper()
	keys := map[string]bool{}
	for _, item := range at[[]any](t, pod, "volumes", 0, "secret", "items") {
		require.Equal(t, at[string](t, item, "key"), at[string](t, item, "path"))
		keys[at[string](t, item, "key")] = true
	}
	return keys
}

func secretsIn(environ []string, folder string) map[string]bool {
	keys := map[string]bool{}
	for _, entry := range environ {
		if _, key, is := strings.Cut(entry, "="+folder+"/"); is {
			keys[key] = true
		}
	}
	return keys
}

// Every pod runs without rights, and no variable of a Service looks like a setting.
func TestChartPodsHaveNoRights(t *testing.T) {
	for _, set := range valueSets {
		pods := processes(t, manifests(t, rendered(t, set)))
		require.GreaterOrEqual(t, len(pods), 4, "gateway, settle, migrate, guard")
		for key, pod := range pods {
			require.Equal(t, false, pod["enableServiceLinks"], key)
			require.Equal(t, false, pod["automountServiceAccountToken"], key)
			require.Equal(t, true, at[bool](t, pod, "securityContext", "runAsNonRoot"), key)
			require.Equal(t, "RuntimeDefault", at[string](t, pod, "securityContext", "seccompProfile", "type"), key)
			for _, container := range at[[]any](t, pod, "containers") {
				require.Equal(t, false, at[bool](t, container, "securityContext", "allowPrivilegeEscalation"), key)
				require.Equal(t, true, at[bool](t, container, "securityContext", "readOnlyRootFilesystem"), key)
				require.Equal(t, []any{"ALL"}, at[[]any](t, container, "securityContext", "capabilities", "drop"), key)
			}
		}
	}
}

// A gateway has the time to sell on, to drain and to close; the time follows the setting in any spelling.
func TestChartGivesAGatewayItsTimeToEnd(t *testing.T) {
	for timeout, wanted := range map[string]int{"20s": 35, "1m30s": 105, "1500ms": 17, "5m": 315, "1m0.5s": 76} {
		all := manifests(t, rendered(t, "minimal", "--set", "settings.gateway.shutdown_timeout="+timeout))
		for _, process := range []string{"gateway", "settle"} {
			pod := podOf(t, all["Deployment flashsale-"+process])
			require.Equal(t, wanted, at[int](t, pod, "terminationGracePeriodSeconds"), "%s of %s", timeout, process)
		}
	}
}

// A gateway that is full refuses further connections of its buyers' listener: probes ask another one.
func TestChartProbesAListenerThatIsNeverFull(t *testing.T) {
	for set, kind := range map[string]string{"minimal": "Deployment", "canary": "Rollout"} {
		pod := podOf(t, manifests(t, rendered(t, set))[kind+" flashsale-gateway"])
		for probe, path := range map[string]string{"livenessProbe": "/livez", "readinessProbe": "/readyz"} {
			asked := at[object](t, pod, "containers", 0, probe, "httpGet")
			require.Equal(t, object{"path": path, "port": "operators"}, asked, "%s %s", set, probe)
		}
	}
}

// Go keeps to nine tenths of the limit of memory, however that is written, and the connections of buyers have room in it. Nothing
// is said where there is no limit, or where the values say it.
func TestChartGivesGoItsMemory(t *testing.T) {
	limits := map[string]string{"1Gi": "966367642", "2G": "1800000000", "1.5Gi": "1449551462", "1048576k": "943718400",
		"2000000000": "1800000000"}
	for limit, wanted := range limits {
		values := "gateway.resources.requests=null,gateway.resources.limits.memory=" + limit
		all := manifests(t, rendered(t, "minimal", "--set", values))
		require.Equal(t, wanted, environmentOf(t, podOf(t, all["Deployment flashsale-gateway"]))["GOMEMLIMIT"], limit)
		require.Equal(t, "483183821", environmentOf(t, podOf(t, all["Deployment flashsale-settle"]))["GOMEMLIMIT"], "512Mi")
	}
	all := manifests(t, rendered(t, "minimal", "--set", "gateway.resources.limits=null,settings.gateway.max_connections=100000",
		"--set", "settle.resources.limits=null"))
	require.NotContains(t, environmentOf(t, podOf(t, all["Deployment flashsale-gateway"])), "GOMEMLIMIT")
	all = manifests(t, rendered(t, "minimal", "--set", "environment.GOMEMLIMIT=800MiB"))
	require.Equal(t, "800MiB", environmentOf(t, podOf(t, all["Deployment flashsale-gateway"]))["GOMEMLIMIT"])
}

// The upgrade asks before it migrates, and an operator can let one happen all the same.
func TestChartAsksBeforeAnUpgrade(t *testing.T) {
	all := manifests(t, rendered(t, "minimal"))
	guard, migrate := all["Job flashsale-guard"], all["Job flashsale-migrate"]
	require.Equal(t, "pre-upgrade", at[string](t, guard, "metadata", "annotations", "helm.sh/hook"))
	require.Equal(t, "-10", at[string](t, guard, "metadata", "annotations", "helm.sh/hook-weight"))
	require.Equal(t, "0", at[string](t, migrate, "metadata", "annotations", "helm.sh/hook-weight"))
	args := at[[]any](t, podOf(t, guard), "containers", 0, "args")
	require.Equal(t, []any{"sale", "armed", "--within", "1h", "--wait", "0s"}, args)
	environment := environmentOf(t, podOf(t, guard))
	require.Equal(t, "http://flashsale-operators:8081", environment["FLASHSALE_ADMIN_URL"])
	require.NotContains(t, manifests(t, rendered(t, "minimal", "--set", "rolloutGuard.override=true")), "Job flashsale-guard")
}

// A canary asks before each step, and after the last one.
func TestCanaryAsksBeforeEachStep(t *testing.T) {
	all := manifests(t, rendered(t, "canary"))
	steps := at[[]any](t, all["Rollout flashsale-gateway"], "spec", "strategy", "canary", "steps")
	asked, weights := false, 0
	for _, step := range steps {
		one := step.(object)
		switch {
		case one["analysis"] != nil:
			asked = true
		case one["setWeight"] != nil:
			require.True(t, asked, "weight %v without a question", one["setWeight"])
			asked = false
			weights++
		}
	}
	require.Equal(t, 3, weights)
	require.NotNil(t, steps[len(steps)-1].(object)["analysis"], "before all buyers get the new version")
	job := at[object](t, all["AnalysisTemplate flashsale-armed"], "spec", "metrics", 0, "provider", "job", "spec")
	rule := at[object](t, job, "podFailurePolicy", "rules", 0)
	require.Equal(t, object{"action": "Ignore", "onPodConditions": []any{object{"type": "DisruptionTarget", "status": "True"}}},
		rule, "the drain of a node is no answer")
	require.Equal(t, "Never", at[string](t, job, "template", "spec", "restartPolicy"), "else Kubernetes refuses the policy")

	all = manifests(t, rendered(t, "canary", "--set", "rolloutGuard.override=true"))
	steps = at[[]any](t, all["Rollout flashsale-gateway"], "spec", "strategy", "canary", "steps")
	require.Len(t, steps, 2+2*weights, "the first gateway, the share of gateways, and each weight with its pause")
	for _, step := range steps {
		require.Nil(t, step.(object)["analysis"], "an upgrade that happens all the same does not wait in its steps")
	}
	require.NotContains(t, all, "AnalysisTemplate flashsale-armed")
	require.Contains(t, all, "AnalysisTemplate flashsale-alerts", "and an alert still rolls it back")
}

// A request with the tag of the new image reaches the canary, one with another does not. Only its answer has the header: answers
// by weight would bring buyers back, and the share would grow beyond the weight.
func TestCanaryIsColouredByItsVersion(t *testing.T) {
	all := manifests(t, rendered(t, "canary", "--set", "image.tag=1.10"))
	for _, backend := range at[[]any](t, all["HTTPRoute flashsale"], "spec", "rules", 0, "backendRefs") {
		require.NotContains(t, backend, "filters")
	}
	rule := at[object](t, all["HTTPRoute flashsale-canary"], "spec", "rules", 0)
	colour := []any{object{"name": "x-canary", "value": "1.10"}}
	require.Equal(t, colour, at[[]any](t, rule, "matches", 0, "headers"))
	require.Equal(t, colour, at[[]any](t, rule, "backendRefs", 0, "filters", 0, "responseHeaderModifier", "set"))
}

// What Helm prints after an installation names the token that the command needs, by the Secret of the values.
func TestNotesHaveWhatTheirCommandNeeds(t *testing.T) {
	result := harness.Run(t, "", harness.GoTool(t, helm), nil, "install", "flashsale", "chart", "--namespace", "shop",
		"--dry-run=client", "--values", filepath.Join("testdata", "chart", "production.yaml"))
	require.Zero(t, result.Code, "%s", result.Stderr)
	_, notes, found := strings.Cut(result.Stdout, "\nNOTES:\n")
	require.True(t, found)
	before, _, found := strings.Cut(notes, "  flashsale sale list\n")
	require.True(t, found, notes)
	for _, s := range settings.UsedBy("sale") {
		if s.NeededBy("sale") {
			require.Contains(t, before, "export "+s.Env()+"=", "the command does not start without it")
		}
	}
	require.Contains(t, before, "kubectl -n shop get secret flashsale-secrets -o jsonpath='{.data.admin\\.token}' | base64 -d")
	require.Contains(t, before, "export FLASHSALE_ADMIN_URL=http://127.0.0.1:8081\n")
}
