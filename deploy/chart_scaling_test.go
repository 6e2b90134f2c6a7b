package deploy_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
)

// everything is a deployment with a canary, KEDA for both processes, network policies, and a Kafka with an authority and client
// certificates of its own, which no other set of values has together.
const everything = `
settings:
  redis: {addrs: ["redis:6379"]}
  kafka:
    brokers: ["kafka:9093"]
    tls: true
    tls_ca_file: /etc/flashsale/files/authorities/kafka.pem
    tls_cert_file: /etc/flashsale/files/client/tls.crt
    tls_key_file: /etc/flashsale/files/client/tls.key
files:
  - {name: authorities, configMap: certificate-authorities}
  - {name: client, secret: client-certificate}
gateway: {autoscaling: {kind: keda}}
settle: {autoscaling: {kind: keda}}
canary: {enabled: true}
route: {enabled: true, parentRefs: [{name: public}]}
networkPolicy:
  enabled: true
  buyersFrom: [{podSelector: {}}]
  stores: [{to: [{podSelector: {}}], ports: [6379, 9093, 3306]}]
metrics: {prometheus: "http://prometheus.monitoring:9090"}
`

// All parts work together: KEDA scales the Rollout, knows Kafka's authority and shows the client's certificate without a
// password; the canary's question reaches the gateways through the policies; and the schemas know every member.
func TestChartWithEverything(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "values.yaml")
	require.NoError(t, os.WriteFile(file, []byte(everything), 0o600))
	text := rendered(t, "minimal", "--values", file)
	all := manifests(t, text)
	require.Equal(t, object{"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "flashsale-gateway"},
		at[object](t, all["ScaledObject flashsale-gateway"], "spec", "scaleTargetRef"))
	trigger := at[object](t, all["ScaledObject flashsale-settle"], "spec", "triggers", 0)
	require.Equal(t, object{"name": "flashsale-kafka"}, trigger["authenticationRef"])
	require.Equal(t, "enable", at[string](t, trigger, "metadata", "tls"))
	require.Equal(t, object{
		"configMapTargetRef": []any{object{"parameter": "ca", "name": "certificate-authorities", "key": "kafka.pem"}},
		"secretTargetRef": []any{object{"parameter": "cert", "name": "client-certificate", "key": "tls.crt"},
			object{"parameter": "key", "name": "client-certificate", "key": "tls.key"}},
	}, all["TriggerAuthentication flashsale-kafka"]["spec"])

	job := at[object](t, all["AnalysisTemplate flashsale-armed"], "spec", "metrics", 0, "provider", "job", "spec")
	asks := at[object](t, job, "template", "metadata", "labels")
	for direction, policy := range map[string]string{"egress": "flashsale-guard", "ingress": "flashsale-gateway"} {
		rules := at[[]any](t, all["NetworkPolicy "+policy], "spec", direction)
		ports := at[[]any](t, rules[len(rules)-1], "ports")
		require.Equal(t, []any{object{"port": "operators"}}, ports, policy)
	}
	chosen := at[object](t, all["NetworkPolicy flashsale-guard"], "spec", "podSelector", "matchLabels")
	from := at[object](t, all["NetworkPolicy flashsale-gateway"], "spec", "ingress", 1, "from", 0, "podSelector", "matchLabels")
	require.Equal(t, chosen, from)
	for name, value := range chosen {
		require.Equal(t, value, asks[name], "the policies choose the canary's pod by %s", name)
	}
	for _, version := range kubernetesVersions {
		wrong, compared := conform(t, version, writeSchemas(t), text)
		require.Empty(t, wrong, "on Kubernetes %s", version)
		require.Len(t, all, compared)
	}
}

// KEDA gets what Kafka asks for, or the chart refuses the values: a scaler that cannot ask Kafka would scale nothing.
func TestChartRefusesWhatKEDACannotAsk(t *testing.T) {
	for values, message := range map[string]string{
		"settings.kafka.tls_ca_file=/etc/ssl/ca.pem":   "settings.kafka.tls_ca_file: /etc/ssl/ca.pem is in no folder of files",
		"settings.kafka.tls_server_name=kafka.example": "settings.kafka.tls_server_name: KEDA cannot ask for it",
	} {
		alone := rendered(t, "minimal", "--set", values)
		require.NotEmpty(t, alone, "without KEDA they are the engine's own affair")
		result := render(t, "minimal", "--set", values+",settle.autoscaling.kind=keda,settings.kafka.tls=true")
		require.NotZero(t, result.Code, values)
		require.Contains(t, result.Stderr, message)
	}
}

// Entries of the schedule are triggers of KEDA, which have names of their own and a time each, and start something.
func TestChartRefusesASchedule(t *testing.T) {
	entry := func(i int, name, end, rest string) string {
		at := fmt.Sprintf("schedule[%d].", i)
		return at + "name=" + name + "," + at + "timezone=UTC," + at + "start=0 1 * * *," + at + "end=" + end + rest
	}
	for values, message := range map[string]string{
		entry(0, "x", "0 2 * * *", ""):           "schedule x has neither gateway nor settle",
		entry(0, "connections", "0 2 * * *", ""): "schedule: the name connections is taken",
		entry(0, "lag", "0 2 * * *", ""):         "schedule: the name lag is taken",
		entry(0, "x", "0 2 * * *", ",schedule[0].gateway=4") + "," + entry(1, "x", "0 3 * * *", ",schedule[1].settle=4"): "" +
			"schedule: the name x is taken",
		entry(0, "x", "0 1 * * *", ",schedule[0].gateway=4"): "schedule x: start and end are both 0 1 * * *",
		entry(0, "x", "0 2 * * *", ",schedule[0].gateway=4"): "schedule x has gateways and needs gateway.autoscaling.kind keda",
	} {
		result := render(t, "minimal", "--set", values)
		require.NotZero(t, result.Code, values)
		require.Contains(t, result.Stderr, message, values)
	}
}

// times returns flags that make a schedule whose entries start at these times.
func times(t *testing.T, starts ...string) []string {
	t.Helper()
	schedule := []object{}
	for i, start := range starts {
		schedule = append(schedule, object{"name": fmt.Sprint("x", i), "timezone": "UTC", "start": start, "end": "1 1 1 1 1",
			"settle": 2})
	}
	values, err := json.Marshal(schedule)
	require.NoError(t, err)
	return []string{"--set", "settle.autoscaling.kind=keda", "--set-json", "schedule=" + string(values)}
}

// A time is refused here where KEDA 2.21.0, which reads it by robfig/cron 3.0.1, would start nothing: Sunday is 0 and not 7, and
// a range begins before its end.
func TestChartRefusesATimeThatKEDACannotRead(t *testing.T) {
	taken := []string{"0 22 10 11 *", "*/5 0-23 ? jan-Mar SUN-sat", "59 23 31 12 6", "00 08 01 01 0",
		"5/10,30 0-6/2,22 * 1,dec tue,6"}
	require.Len(t, at[[]any](t, manifests(t, rendered(t, "minimal", times(t, taken...)...))["ScaledObject flashsale-settle"],
		"spec", "triggers"), 1+len(taken))
	refused := []string{"0 1 * * 7", "60 1 * * *", "0 24 * * *", "0 1 0 * *", "0 1 32 * *", "0 1 * 0 *", "0 1 * 13 *",
		"0 1 * * feb", "0 1 * sun *", "0 1 * *", "0 1 * * * *", "0 1 * * */0", "@daily", "TZ=UTC 0 1 * * *", "0 1 * * 1-",
		"0 1 * * L"}
	result := render(t, "minimal", times(t, refused...)...)
	require.NotZero(t, result.Code)
	for i, time := range refused {
		require.Contains(t, result.Stderr, fmt.Sprintf("at '/schedule/%d/start'", i), time)
	}
	for time, found := range map[string]string{"0 22-2 * * *": "22-2", "0 1 * * fri-Mon": "5-1", "0 1 * dec-jan *": "12-1"} {
		result := render(t, "minimal", times(t, time)...)
		require.NotZero(t, result.Code, time)
		require.Contains(t, result.Stderr, "schedule x0: start is "+time+": the range "+found+" ends before it begins")
	}
}

// An example that sends traces says which share of them, because without a share every trace is sampled, and its network policies
// let them out to the collector.
func TestExamplesSendAShareOfTheTraces(t *testing.T) {
	traced := 0
	for _, set := range valueSets {
		all := manifests(t, rendered(t, set))
		for _, process := range []string{"gateway", "settle"} {
			deployment, is := all["Deployment flashsale-"+process]
			if !is {
				continue
			}
			environment := environmentOf(t, podOf(t, deployment))
			endpoint, err := url.Parse(environment["OTEL_EXPORTER_OTLP_ENDPOINT"])
			require.NoError(t, err)
			if endpoint.Port() == "" {
				continue
			}
			traced++
			share, err := strconv.ParseFloat(environment["OTEL_TRACES_SAMPLER_ARG"], 64)
			require.NoError(t, err, set)
			require.Less(t, share, 0.1, set)
			ports := []string{}
			for _, rule := range at[[]any](t, all["NetworkPolicy flashsale-"+process], "spec", "egress") {
				for _, port := range at[[]any](t, rule, "ports") {
					ports = append(ports, fmt.Sprint(at[any](t, port, "port")))
				}
			}
			require.Contains(t, ports, endpoint.Port(), set)
		}
	}
	require.Equal(t, 2, traced, "production has traces")
}

// The page says how to get the Helm of these tests.
func TestPageHasTheHelmOfTheTests(t *testing.T) {
	page := read(t, filepath.Join("..", "docs", "kubernetes.md"))
	require.Contains(t, page, "`go run "+helm+"`")
	require.Contains(t, page, "`go install "+helm+"`")
	_, version, _ := strings.Cut(helm, "@v")
	require.Contains(t, page, "The tests render it with Helm "+version+" ")
}

// The page gives the flag by which Helm takes back the fields that the plugin has written, and Helm knows it.
func TestHelmKnowsTheFlagsOfThePage(t *testing.T) {
	const flag = "--force-conflicts"
	require.Contains(t, read(t, filepath.Join("..", "docs", "kubernetes.md")), flag)
	for _, command := range []string{"upgrade", "rollback"} {
		result := harness.Run(t, "", harness.GoTool(t, helm), nil, command, "--help")
		require.Contains(t, result.Stdout, flag, command)
	}
}
