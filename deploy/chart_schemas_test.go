package deploy_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"flashsale/test/harness"
)

// kubeconform compares manifests with schemas. It finds the schemas of Kubernetes in a Python package, and those of other
// makers in the definitions that their Go modules hold.
const kubeconform = "github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0"

// kubernetesVersions are the oldest one that the chart allows and the newest one that the schemas know.
var kubernetesVersions = []string{"1.31.0", "1.37.0"}

// definitions are the files with the kinds of others, by the module that holds them.
var definitions = map[string][]string{
	"github.com/kedacore/keda/v2@v2.21.0": {
		"config/crd/bases/keda.sh_scaledobjects.yaml", "config/crd/bases/keda.sh_triggerauthentications.yaml",
	},
	"github.com/argoproj/argo-rollouts@v1.9.0": {
		"manifests/crds/rollout-crd.yaml", "manifests/crds/analysis-template-crd.yaml",
	},
	"sigs.k8s.io/gateway-api@v1.6.0": {"config/crd/standard/gateway.networking.k8s.io_httproutes.yaml"},
	"github.com/prometheus-operator/prometheus-operator@v0.85.0": {
		"example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml",
		"example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
	},
}

// definition is the part of a CustomResourceDefinition that has the schemas.
type definition struct {
	Spec struct {
		Group    string
		Names    struct{ Kind string }
		Versions []struct {
			Name   string
			Schema struct {
				OpenAPI object `yaml:"openAPIV3Schema"`
			}
		}
	}
}

// addDefinitions adds the schema of each kind of definitions, as GROUP/kind_version.json.
func addDefinitions(t *testing.T, schemas map[string][]byte) {
	t.Helper()
	for module, files := range definitions {
		home := harness.GoModule(t, module)
		for _, file := range files {
			var d definition
			require.NoError(t, yaml.Unmarshal([]byte(read(t, filepath.Join(home, filepath.FromSlash(file)))), &d), file)
			require.NotEmpty(t, d.Spec.Versions, file)
			for _, version := range d.Spec.Versions {
				closeObjects(version.Schema.OpenAPI)
				text, err := json.Marshal(version.Schema.OpenAPI)
				require.NoError(t, err)
				schemas[filepath.Join(d.Spec.Group, strings.ToLower(d.Spec.Names.Kind)+"_"+version.Name+".json")] = text
			}
		}
	}
}

// closeObjects lets no object of a schema have a member that the schema does not name, as an API server prunes it. The schema
// of a number or text is one without a type.
func closeObjects(schema any) {
	switch schema := schema.(type) {
	case []any:
		for _, one := range schema {
			closeObjects(one)
		}
	case object:
		if schema["x-kubernetes-int-or-string"] == true {
			delete(schema, "type")
		}
		_, names := schema["properties"].(object)
		if names && schema["x-kubernetes-preserve-unknown-fields"] != true && schema["additionalProperties"] == nil {
			schema["additionalProperties"] = false
		}
		for _, one := range schema {
			closeObjects(one)
		}
	}
}

// kinds are the kinds of Kubernetes that the chart has, by the names of their schemas.
var kinds = []string{"deployment-apps-v1", "job-batch-v1", "service-v1", "serviceaccount-v1", "poddisruptionbudget-policy-v1",
	"networkpolicy-networking-v1", "horizontalpodautoscaler-autoscaling-v2"}

// addKinds adds the schemas of Kubernetes's own kinds, as VERSION-strict/kind.json. The package names a site as their place and
// refers to the definitions there; here they are beside the kinds.
func addKinds(t *testing.T, schemas map[string][]byte) {
	t.Helper()
	from := filepath.Join(harness.KubernetesSchemas.Files(t), "kubernetes_validate", "kubernetes-json-schema")
	for _, version := range kubernetesVersions {
		for _, name := range append([]string{"_definitions"}, kinds...) {
			text := read(t, filepath.Join(from, "v"+version+"-local-strict", name+".json"))
			text = strings.ReplaceAll(text, `"$ref": "/api/_definitions.json#`, `"$ref": "_definitions.json#`)
			var schema object
			require.NoError(t, json.Unmarshal([]byte(text), &schema))
			delete(schema, "$id")
			schemas[filepath.Join("v"+version+"-strict", name+".json")] = []byte(indented(t, schema))
		}
	}
}

// allSchemas are every schema that the comparison needs, by file, which the first test that asks reads for all.
var allSchemas struct {
	sync.Once
	files map[string][]byte
}

// writeSchemas writes every schema that the comparison needs into a folder of its own.
func writeSchemas(t *testing.T) (folder string) {
	t.Helper()
	allSchemas.Do(func() {
		schemas := map[string][]byte{}
		addDefinitions(t, schemas)
		addKinds(t, schemas)
		allSchemas.files = schemas
	})
	require.NotEmpty(t, allSchemas.files, "the test that read them failed")
	folder = t.TempDir()
	for name, text := range allSchemas.files {
		path := filepath.Join(folder, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, text, 0o600))
	}
	return folder
}

// conform returns what kubeconform finds wrong, by "Kind name", and the number of manifests that it has compared.
func conform(t *testing.T, version, schemas, manifests string) (wrong map[string]string, compared int) {
	t.Helper()
	own := filepath.Join(schemas, "{{.NormalizedKubernetesVersion}}{{.StrictSuffix}}", "{{.ResourceKind}}{{.KindSuffix}}.json")
	others := filepath.Join(schemas, "{{.Group}}", "{{.ResourceKind}}_{{.ResourceAPIVersion}}.json")
	result := harness.Run(t, manifests, harness.GoTool(t, kubeconform), nil, "-strict", "-output", "json", "-verbose",
		"-kubernetes-version", version, "-schema-location", own, "-schema-location", others, "-")
	var found struct {
		Resources []struct{ Kind, Name, Status, Msg string }
	}
	require.NoError(t, json.Unmarshal([]byte(result.Stdout), &found), "%s%s", result.Stdout, result.Stderr)
	wrong = map[string]string{}
	for _, one := range found.Resources {
		if one.Status != "statusValid" {
			wrong[one.Kind+" "+one.Name] = fmt.Sprintf("%s: %s", one.Status, one.Msg)
		}
	}
	return wrong, len(found.Resources)
}

// What the chart renders are objects that Kubernetes and the makers of the other kinds know, to the last member.
func TestChartConformsToTheSchemas(t *testing.T) {
	t.Parallel()
	schemas := writeSchemas(t)
	var all strings.Builder
	expected := 0
	for _, set := range valueSets {
		text := rendered(t, set)
		expected += len(manifests(t, text))
		all.WriteString(text)
	}
	for _, version := range kubernetesVersions {
		wrong, compared := conform(t, version, schemas, all.String())
		require.Empty(t, wrong, "on Kubernetes %s", version)
		require.Equal(t, expected, compared)
	}
}

// misspellings are names of members in the rendered text, each of another kind of object.
var misspellings = map[string]string{
	"readinessProbe:": "Deployment flashsale-gateway", "maxReplicaCount:": "ScaledObject flashsale-gateway",
	"secretTargetRef:": "TriggerAuthentication flashsale-kafka", "backoffLimit:": "Job flashsale-migrate",
	"policyTypes:": "NetworkPolicy flashsale-gateway", "unhealthyPodEvictionPolicy:": "PodDisruptionBudget flashsale-gateway",
	"trafficDistribution:": "Service flashsale-gateway", "endpoints:": "ServiceMonitor flashsale-operators",
	"parentRefs:": "HTTPRoute flashsale", "expr:": "PrometheusRule flashsale",
	"stableService:": "Rollout flashsale-gateway", "successCondition:": "AnalysisTemplate flashsale-alerts",
	"minReplicas:": "HorizontalPodAutoscaler flashsale-gateway", "automountServiceAccountToken:": "ServiceAccount flashsale",
}

// A misspelt member is found, whatever the kind: otherwise the comparison would say nothing.
func TestSchemasFindAMisspeltMember(t *testing.T) {
	text := rendered(t, "production") + rendered(t, "canary")
	for word := range misspellings {
		require.Contains(t, text, word)
		text = strings.ReplaceAll(text, word, strings.TrimSuffix(word, ":")+"z:")
	}
	wrong, _ := conform(t, kubernetesVersions[1], writeSchemas(t), text)
	for word, object := range misspellings {
		require.Contains(t, wrong[object], strings.TrimSuffix(word, ":")+"z", object)
	}
}
