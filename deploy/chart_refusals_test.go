package deploy_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
)

// sum is the digest of an image, without its algorithm.
var sum = strings.Repeat("0123456789abcdef", 4)

// refusals are values that the chart refuses, with what its message names.
var refusals = map[string][]string{
	"settings.gateway.max_conections=5":          {"settings", "gateway", "max_conections"},
	"settings.gatway.max_connections=5":          {"settings", "gatway"},
	"settings.gateway.max_connections=0":         {"max_connections", "minimum"},
	"settings.gateway.max_connections=10000001":  {"max_connections", "maximum"},
	"settings.log.level=loud":                    {"log", "level"},
	"settings.gateway.shutdown_timeout=20":       {"shutdown_timeout"},
	"settings.mysql.dsn=secret":                  {"settings", "mysql"},
	"settings.redis.tls=yes":                     {"redis", "tls"},
	"settings.redis.addrs=null":                  {"settings", "redis", "addrs"},
	"secrets.keys={mysql.dsn,auth.hs256_secret}": {"secrets.keys", "needs admin.token"},
	"secrets.keys={nonsense}":                    {"secrets", "keys"},
	"gateway.replica=2":                          {"gateway", "replica"},
	"gateway.autoscaling.kind=vpa":               {"gateway", "autoscaling", "kind"},
	"settle.autoscaling.min=0":                   {"settle", "autoscaling", "min"},
	"settle.autoscaling.max=9":                   {"settle.autoscaling.max is 9 and kafka.partitions 8"},
	"gateway.autoscaling.min=20":                 {"gateway.autoscaling.min is above gateway.autoscaling.max"},
	"gateway.autoscaling.kind=keda":              {"metrics.prometheus"},
	"settings.gateway.max_connections=30000":     {"max_connections is 30000", "limits.memory 1Gi is enough for"},
	"settings.gateway.max_connections=null":      {"max_connections is 100000", "limits.memory 1Gi"},
	"gateway.autoscaling.kind=keda,metrics.prometheus=http://p,gateway.autoscaling.connections=24001": {
		"gateway.autoscaling.connections is above settings.gateway.max_connections"},
	"settings.gateway.listen=127.0.0.1:8080": {"settings.gateway.listen is 127.0.0.1:8080"},
	"settings.gateway.listen=null":           {"settings.gateway.listen is 127.0.0.1:8080"},
	"settings.admin.listen=localhost:8081":   {"settings.admin.listen is localhost:8081"},
	"settings.admin.listen=[::1]:8081":       {"settings.admin.listen is [::1]:8081"},
	"settings.settle.listen=10.0.0.7:8082":   {"settings.settle.listen is 10.0.0.7:8082"},
	"settings.settle.listen=:0":              {"settings.settle.listen is :0"},
	"settings.settle.listen=:65536":          {"settings.settle.listen is :65536"},
	"settings.admin.listen=0.0.0.0:8080":     {"settings.gateway.listen and settings.admin.listen both have port 8080"},
	"settings.kafka.tls_ca_file=/etc/flashsale/files/ca/ca.pem": {
		"settings.kafka.tls_ca_file is /etc/flashsale/files/ca/ca.pem, and files has no name ca"},
	"settings.mysql.tls_key_file=/etc/flashsale/files/client/tls.key,files[0].name=clients,files[0].secret=s": {
		"settings.mysql.tls_key_file", "files has no name client"},
	"settings.redis.tls_cert_file=/etc/flashsale/files/client/,files[0].name=client,files[0].secret=s": {
		"settings.redis.tls_cert_file", "name the file in it"},
	"environment.OTEL_EXPORTER_OTLP_CERTIFICATE=/etc/flashsale/files/ca/ca.pem": {
		"environment.OTEL_EXPORTER_OTLP_CERTIFICATE", "files has no name ca"},
	"files[0].name=a,files[0].secret=s,files[1].name=a,files[1].secret=t": {"files: the name a is taken"},
	"files[0].name=secrets,files[0].secret=s":                             {"files: the name secrets is taken"},
	"settle.replicas=9":       {"settle.replicas is 9 and kafka.partitions 8"},
	"gateway.resources=null":  {"/gateway", "missing property 'resources'"},
	"settle.resources=null":   {"/settle", "missing property 'resources'"},
	"settle.autoscaling=null": {"/settle", "missing property 'autoscaling'"},
	"rolloutGuard=null":       {"missing property 'rolloutGuard'"},
	"canary.enabled=null":     {"/canary", "missing property 'enabled'"},
	"image.tag=sha256:0123":   {"image.tag is sha256:0123", "image.digest"},
	"image.digest=0123":       {"image", "digest"},
	"image.digest=sha256:" + sum + ",canary.enabled=true,route.enabled=true,route.parentRefs[0].name=p": {
		"image.tag: a canary needs it"},
	"environment.OTEL_EXPORTER_OTLP_ENDPOINT=collector:4318":                   {"environment", "OTEL_EXPORTER_OTLP_ENDPOINT"},
	"environment.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://u:p@collector:4318": {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"},
	"settings.gateway.trusted_proxies={proxy}":                                 {"gateway", "trusted_proxies"},
	"settings.gateway.trusted_proxies={10.0.0.0/33}":                           {"gateway", "trusted_proxies"},
	"settings.gateway.trusted_proxies={10.0.0.256}":                            {"gateway", "trusted_proxies"},
	"canary.enabled=true":                                                      {"canary.enabled needs route.enabled"},
	"route.enabled=true":                                                       {"route.parentRefs"},
	"networkPolicy.enabled=true":                                               {"networkPolicy.stores"},
	"settings.kafka.sasl_mechanism=PLAIN":                                      {"secrets.keys", "kafka.sasl_password"},
	"files[0].name=ca":                                                         {"files ca"},
	"schedule[0].name=x":                                                       {"schedule"},
	"image.pullPolicy=Sometimes":                                               {"image", "pullPolicy"},
	"rolloutGuard.within=soon":                                                 {"rolloutGuard", "within"},
	"metrics.prometheus=prometheus:9090":                                       {"metrics", "prometheus"},
	"metrics.interval=16s":                                                     {"metrics", "interval"},
	"metrics.interval=1m":                                                      {"metrics", "interval"},
	"metrics.interval=0s":                                                      {"metrics", "interval"},
	"metrics.interval=often":                                                   {"metrics", "interval"},
	"environment.PATH=x":                                                       {"environment", "PATH"},
	"imagee.tag=1":                                                             {"imagee"},
	"gateway.resources.requests.cpu=lots":                                      {"gateway", "resources", "requests", "cpu"},
	"canary.steps[0].weight=100,canary.steps[0].pause=forever":                 {"canary", "steps"},
	"settings.kafka.sasl_mechanism=GSSAPI":                                     {"kafka", "sasl_mechanism"},
	"gateway.trafficDistribution=Local":                                        {"gateway", "trafficDistribution"},
	"priorityClassName=Sale":                                                   {"priorityClassName", "pattern"},
	"serviceAccount.name=a_b":                                                  {"serviceAccount", "name", "pattern"},
	"migrate.secret=a_b":                                                       {"migrate", "secret", "pattern"},
	"secrets.name=-a":                                                          {"secrets", "name", "pattern"},
	"image.pullSecrets={a,a}":                                                  {"image", "pullSecrets"},
	"image.repository=https://registry.example/flashsale":                      {"image", "repository", "pattern"},
	"image.tag=1.0-": {
		"image.tag is 1.0-", "none of ._- at the ends"},
	"schedule[0].timezone=Asia Shanghai":      {"schedule", "timezone", "pattern"},
	"schedule[0].start=0 1 * * $":             {"schedule", "start", "pattern"},
	"metrics.labels.team=a b":                 {"metrics", "labels", "team", "pattern"},
	"nodeSelector.a b=c":                      {"nodeSelector", "a b"},
	"gateway.annotations.a b=c":               {"gateway/annotations", "a b"},
	"preferredZones={zone a}":                 {"preferredZones", "pattern"},
	"route.hostnames={https://shop.example}":  {"route", "hostnames", "pattern"},
	"route.parentRefs[0].nam=public":          {"route", "parentRefs", "nam"},
	"settings.admin.url=ftp://p":              {"admin", "url", "pattern"},
	"settings.admin.hosts={ops.example:8081}": {"admin", "hosts", "pattern"},
	"settings.namespace=a b":                  {"namespace", "pattern"},
	"settings.kafka.tls_server_name=a b":      {"kafka", "tls_server_name", "pattern"},
	"settings.redis.tls_ca_file=ca.pem":       {"redis", "tls_ca_file", "pattern"},
	"environment.GOMEMLIMIT=1Gi":              {"environment", "GOMEMLIMIT", "pattern"},
	"gateway.resources.limits.memory=1.2.3Gi": {"gateway/resources/limits/memory", "pattern"},
	"settle.resources.limits.memory=1.2.3Gi":  {"settle/resources/limits/memory", "pattern"},
	"settle.resources.requests.memory=.":      {"settle/resources/requests/memory", "pattern"},
	"settle.resources.limits.memory=-1":       {"settle/resources/limits/memory", "minimum"},
	"gateway.resources.limits.memory=1Mi": {
		"gateway.resources.limits.memory is 1Mi: a process takes 128Mi"},
	"settle.resources.limits.memory=134217727": {
		"settle.resources.limits.memory is 134217727: a process takes 128Mi"},
	"settle.resources.requests.memory=1Gi": {
		"settle.resources.requests.memory is 1Gi, above the limit 512Mi"},
	"gateway.resources.limits.cpu=900m": {
		"gateway.resources.requests.cpu is 1, above the limit 900m"},
	"gateway.autoscaling.kind=hpa,gateway.resources.requests.cpu=null": {
		"gateway.resources.requests.cpu: gateway.autoscaling.kind hpa"},
	"canary.steps[0].weight=20,canary.steps[1].weight=20":        {"canary.steps: the weight 20 follows 20"},
	"settings.redis.addrs={ }":                                   {"settings/redis/addrs", "pattern"},
	"settings.redis.addrs={redis}":                               {"settings/redis/addrs", "pattern"},
	"settings.redis.addrs={redis://redis:6379}":                  {"settings/redis/addrs", "pattern"},
	"settings.redis.addrs={redis:65536}":                         {"settings/redis/addrs", "pattern"},
	"settings.redis.addrs={2001:db8::1:6379}":                    {"settings/redis/addrs", "pattern"},
	"settings.kafka.brokers={kafka:9092,:9092}":                  {"settings/kafka/brokers/1", "pattern"},
	"settings.kafka.brokers={kafka:0}":                           {"settings/kafka/brokers", "pattern"},
	"settings.auth.hs256_secret=0123456789abcdef0123456789abcde": {"settings", "auth", "hs256_secret"},
}

func TestChartRefusesWhatIsWrong(t *testing.T) {
	t.Parallel()
	for values, names := range refusals {
		result := render(t, "minimal", "--set", values)
		require.NotZero(t, result.Code, values)
		for _, name := range names {
			require.Contains(t, result.Stderr, name, values)
		}
	}
	alone := harness.Run(t, "", harness.GoTool(t, helm), nil, "template", "flashsale", "chart")
	require.NotZero(t, alone.Code)
	require.Contains(t, alone.Stderr, "settings.redis.addrs")
}

// The refusals leave alone what works.
func TestChartTakesWhatWorks(t *testing.T) {
	for _, values := range []string{
		"settings.gateway.listen=0.0.0.0:80,settings.admin.listen=[::]:81,settings.settle.listen=:80",
		"settings.kafka.tls_ca_file=/etc/flashsale/files/ca/tls/ca.pem,files[0].name=ca,files[0].configMap=c",
		"settings.kafka.tls_ca_file=/etc/ssl/ca.pem",
		"settle.replicas=8",
		"settle.replicas=9,settle.autoscaling.kind=keda",
		"settle.replicas=9,settings.kafka.partitions=9",
		"environment.OTEL_EXPORTER_OTLP_ENDPOINT=https://collector.example:4318/v1",
		"settings.gateway.trusted_proxies={10.0.0.0/8,192.168.0.7,2001:db8::/32,::1,::ffff:10.0.0.1}",
		"settings.redis.addrs={redis-0.redis.shop.svc.cluster.local.:6379,[2001:db8::1]:65535,10.0.0.1:1}",
		"settle.resources.limits.memory=128Mi,settle.resources.requests.memory=0.125Gi",
		"gateway.autoscaling.kind=hpa,gateway.resources.requests.cpu=null,gateway.resources.limits.cpu=1500m",
		"image.tag=v1.2.3-rc.1_a", "metrics.interval=1s", "metrics.interval=15s",
	} {
		require.NotEmpty(t, rendered(t, "minimal", "--set", values), values)
	}
}

// A digest says which image runs; the version in labels and the canary's header stay the tag.
func TestChartPinsAnImageByItsDigest(t *testing.T) {
	digest := "sha256:" + sum
	all := manifests(t, rendered(t, "canary", "--set", "image.repository=registry.example:5000/flashsale,image.tag=1.10",
		"--set", "image.digest="+digest))
	pods := processes(t, all)
	require.Len(t, pods, 5)
	for key, pod := range pods {
		require.Equal(t, "registry.example:5000/flashsale@"+digest, at[string](t, pod, "containers", 0, "image"), key)
	}
	rollout := all["Rollout flashsale-gateway"]
	require.Equal(t, "1.10", at[string](t, rollout, "metadata", "labels", "app.kubernetes.io/version"))
	match := at[object](t, all["HTTPRoute flashsale-canary"], "spec", "rules", 0, "matches", 0, "headers", 0)
	require.Equal(t, object{"name": "x-canary", "value": "1.10"}, match)
}

// Null is the same as nothing where the default is nothing; elsewhere the schema requires a value.
func TestChartTakesNullForNothing(t *testing.T) {
	with := []string{"--set", "metrics.rules=true,metrics.serviceMonitor=true,settle.autoscaling.kind=keda"}
	nulls := []string{}
	for _, key := range []string{"environment", "files", "gateway.annotations", "gateway.trafficDistribution", "image.digest",
		"image.pullSecrets", "image.tag", "metrics.labels", "metrics.prometheus", "metrics.runbooks", "migrate.secret",
		"networkPolicy.buyersFrom", "networkPolicy.operatorsFrom", "networkPolicy.stores", "nodeSelector", "preferredZones",
		"priorityClassName", "route.hostnames", "route.parentRefs", "schedule", "serviceAccount.annotations",
		"serviceAccount.name", "settle.annotations", "tolerations"} {
		nulls = append(nulls, key+"=null")
	}
	require.Equal(t, rendered(t, "minimal", with...), rendered(t, "minimal", append(with, "--set", strings.Join(nulls, ","))...))
	empty := regexp.MustCompile(`(?m)(: |\{)(""|\[\]|\{\})( |,|\}|$)`)
	require.Len(t, empty.FindAllString(read(t, "chart/values.yaml"), -1), len(nulls), "each value that is empty")
}
