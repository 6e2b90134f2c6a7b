{{/* The strategy of the Rollout. An analysis that fails rolls back; one that waits stops the rollout where it is. */}}
{{- define "flashsale.canary" -}}
{{- $name := include "flashsale.name" . }}
canary:
  stableService: {{ $name }}-gateway
  canaryService: {{ $name }}-gateway-canary
  maxUnavailable: 0
  maxSurge: 1
  # Gateways of the old version stay for a minute after the last step, for the way back.
  scaleDownDelaySeconds: 60
  trafficRouting:
    plugins:
      argoproj-labs/gatewayAPI:
        namespace: {{ .Release.Namespace | quote }}
        httpRoutes:
          - name: {{ $name }}
  {{- if .Values.metrics.prometheus }}
  analysis:
    templates:
      - templateName: {{ $name }}-alerts
    startingStep: 1
  {{- end }}
  steps:
    # Requests with the image's tag in the header of canary.header reach the first new gateway before any buyer does by weight.
    - setCanaryScale: {replicas: 1}
    {{- range .Values.canary.steps }}
    {{- if include "flashsale.asks" $ }}
    - analysis:
        templates:
          - templateName: {{ $name }}-armed
    {{- end }}
    {{- if eq .weight (first $.Values.canary.steps).weight }}
    - setCanaryScale: {matchTrafficWeight: true}
    {{- end }}
    - setWeight: {{ .weight }}
    - pause: {{ if .pause }}{duration: {{ .pause | quote }}}{{ else }}{}{{ end }}
    {{- end }}
    {{- if include "flashsale.asks" . }}
    - analysis:
        templates:
          - templateName: {{ $name }}-armed
    {{- end }}
{{- end }}

{{/* Whether upgrade and canary ask for armed sales. */}}
{{- define "flashsale.asks" -}}
{{- if and .Values.rolloutGuard.enabled (not .Values.rolloutGuard.override) }}true{{ end }}
{{- end }}

{{/* The pod that asks whether a sale is armed. */}}
{{- define "flashsale.armed" -}}
{{- $root := .root }}
{{- $port := include "flashsale.port" (dict "root" $root "name" "admin.listen") }}
{{- $url := printf "http://%s-operators:%s" (include "flashsale.name" $root) $port }}
{{- $args := list "sale" "armed" "--within" $root.Values.rolloutGuard.within "--wait" .wait }}
{{- $set := dict "admin.url" $url }}
{{- include "flashsale.command" (dict "root" $root "name" "armed" "process" "sale" "set" $set "args" $args) }}
{{- end }}
