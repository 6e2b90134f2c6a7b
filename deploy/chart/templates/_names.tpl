{{/* The release's name, with the chart's where the release is named otherwise. */}}
{{- define "flashsale.name" -}}
{{- $name := .Release.Name }}
{{- if not (contains .Chart.Name $name) }}{{ $name = printf "%s-%s" $name .Chart.Name }}{{ end }}
{{- $name | trunc 40 | trimAll "-" }}
{{- end }}

{{/* Labels by which the pods of a component are selected. They never change. */}}
{{- define "flashsale.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* Labels of pods. None has the version of the chart or of the image: a change of a pod's labels restarts it. */}}
{{- define "flashsale.podLabels" -}}
{{ include "flashsale.selector" . }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- end }}

{{/* Labels of objects. */}}
{{- define "flashsale.labels" -}}
{{ include "flashsale.podLabels" . }}
app.kubernetes.io/version: {{ include "flashsale.tag" .root | quote }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "flashsale.tag" -}}
{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{/* The image of all processes. A digest says which one it is, whatever the tag points to. */}}
{{- define "flashsale.image" -}}
{{- if .Values.image.digest }}{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else }}{{ .Values.image.repository }}:{{ include "flashsale.tag" . }}{{ end }}
{{- end }}

{{- define "flashsale.account" -}}
{{- $standard := ternary (include "flashsale.name" .) "default" .Values.serviceAccount.create }}
{{- .Values.serviceAccount.name | default $standard }}
{{- end }}

{{/* What scales and is rolled out: the gateways are a Rollout with a canary. */}}
{{- define "flashsale.gatewayKind" -}}
{{ ternary "Rollout" "Deployment" .Values.canary.enabled }}
{{- end }}

{{- define "flashsale.gatewayVersion" -}}
{{ ternary "argoproj.io/v1alpha1" "apps/v1" .Values.canary.enabled }}
{{- end }}

{{/* Combinations of values that the schema cannot refuse. */}}
{{- define "flashsale.check" -}}
{{- $v := .Values }}
{{- include "flashsale.checkRelease" . }}
{{- range list "redis.addrs" "kafka.brokers" }}
{{- if not (include "flashsale.given" (dict "root" $ "name" .)) }}
{{- fail (printf "settings.%s: the default is this machine, which is no server in a cluster" .) }}
{{- end }}
{{- end }}
{{- include "flashsale.checkListeners" . }}
{{- include "flashsale.checkFiles" . }}
{{- include "flashsale.checkImage" . }}
{{- include "flashsale.checkResources" . }}
{{- if and $v.canary.enabled (not $v.route.enabled) }}
{{- fail "canary.enabled needs route.enabled: the canary's share is a weight of the HTTPRoute" }}
{{- end }}
{{- if and $v.route.enabled (not $v.route.parentRefs) }}
{{- fail "route.parentRefs: name the Gateway that the HTTPRoute belongs to" }}
{{- end }}
{{- if and $v.networkPolicy.enabled (not $v.networkPolicy.stores) }}
{{- fail "networkPolicy.stores: name Redis, Kafka and the database, or no process reaches them" }}
{{- end }}
{{- if and $v.networkPolicy.enabled (not $v.networkPolicy.buyersFrom) }}
{{- fail "networkPolicy.buyersFrom: name the proxies, or no buyer reaches a gateway" }}
{{- end }}
{{- if gt (int $v.gateway.autoscaling.min) (int $v.gateway.autoscaling.max) }}
{{- fail "gateway.autoscaling.min is above gateway.autoscaling.max" }}
{{- end }}
{{- if gt (int $v.settle.autoscaling.min) (int $v.settle.autoscaling.max) }}
{{- fail "settle.autoscaling.min is above settle.autoscaling.max" }}
{{- end }}
{{- $partitions := int (include "flashsale.setting" (dict "root" . "name" "kafka.partitions")) }}
{{- if gt (int $v.settle.autoscaling.max) $partitions }}
{{- $most := int $v.settle.autoscaling.max }}
{{- fail (printf "settle.autoscaling.max is %d and kafka.partitions %d: a further process has no partition" $most $partitions) }}
{{- end }}
{{- if and (eq $v.settle.autoscaling.kind "none") (gt (int $v.settle.replicas) $partitions) }}
{{- fail (printf "settle.replicas is %d and kafka.partitions %d: a further process has no partition" (int $v.settle.replicas)
  $partitions) }}
{{- end }}
{{- if and (eq $v.gateway.autoscaling.kind "keda") (not $v.metrics.prometheus) }}
{{- fail "metrics.prometheus: gateway.autoscaling.kind keda reads the connections from it" }}
{{- end }}
{{- $connections := include "flashsale.setting" (dict "root" . "name" "gateway.max_connections") | float64 }}
{{- $memory := include "flashsale.memory" (dict "root" . "component" "gateway") }}
{{- $needed := addf (mulf $connections 32768.0) 134217728.0 }}
{{- if and $memory (gt $needed (float64 $memory)) }}
{{- $most := divf (subf (float64 $memory) 134217728.0) 32768.0 | max 0 | int64 }}
{{- $limit := $v.gateway.resources.limits.memory }}
{{- fail (printf "settings.gateway.max_connections is %.0f, and gateway.resources.limits.memory %s is enough for %d" $connections
  (include "flashsale.text" $limit) $most) }}
{{- end }}
{{- if and (eq $v.gateway.autoscaling.kind "keda") (gt (float64 $v.gateway.autoscaling.connections) $connections) }}
{{- fail "gateway.autoscaling.connections is above settings.gateway.max_connections: no crowd would add a gateway" }}
{{- end }}
{{- $mechanism := include "flashsale.given" (dict "root" . "name" "kafka.sasl_mechanism") }}
{{- if and $mechanism (not (has "kafka.sasl_password" $v.secrets.keys)) }}
{{- fail "secrets.keys: settings.kafka.sasl_mechanism needs kafka.sasl_password" }}
{{- end }}
{{- include "flashsale.checkCanary" . }}
{{- include "flashsale.checkSchedule" . }}
{{- end }}
