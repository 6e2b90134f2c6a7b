{{/* A value as the text of an environment variable. Numbers of YAML are floats: printed as such, a million is 1e+06. */}}
{{- define "flashsale.text" -}}
{{- if kindIs "slice" . }}{{ join "," . }}{{ else if kindIs "float64" . }}{{ printf "%.0f" . }}{{ else }}{{ toString . }}{{ end }}
{{- end }}

{{/* A setting of the values by its name, or its default. */}}
{{- define "flashsale.setting" -}}
{{- $given := include "flashsale.given" . }}
{{- if $given }}{{ $given }}{{ else }}
{{- range (.root.Files.Get "files/settings.json" | fromJson).settings }}{{ if eq .name $.name }}{{ .default }}{{ end }}{{ end }}
{{- end }}
{{- end }}

{{/* A setting of the values by its name, nothing where it is not given. */}}
{{- define "flashsale.given" -}}
{{- $at := .root.Values.settings }}
{{- $found := true }}
{{- range splitList "." .name }}
{{- if and $found (kindIs "map" $at) (hasKey $at .) }}{{ $at = get $at . }}{{ else }}{{ $found = false }}{{ end }}
{{- end }}
{{- if and $found (not (kindIs "invalid" $at)) }}{{ include "flashsale.text" $at }}{{ end }}
{{- end }}

{{/* The port of a listener. */}}
{{- define "flashsale.port" -}}
{{ include "flashsale.setting" . | splitList ":" | last }}
{{- end }}

{{/* A duration such as 1m30s in whole seconds, rounded up. */}}
{{- define "flashsale.seconds" -}}
{{- $sum := 0.0 }}
{{- $seconds := dict "h" 3600.0 "m" 60.0 "s" 1.0 "ms" 0.001 "us" 0.000001 "µs" 0.000001 "ns" 0.000000001 }}
{{- range regexFindAll "[0-9.]+(h|ms|us|µs|ns|m|s)" . -1 }}
{{- $unit := regexFind "[a-zµ]+$" . }}
{{- $sum = addf $sum (mulf (float64 (trimSuffix $unit .)) (get $seconds $unit)) }}
{{- end }}
{{- ceil $sum | int }}
{{- end }}

{{/* The environment of a process: the settings that it reads. FLASHSALE_..._FILE names the file of a secret. */}}
{{- define "flashsale.environment" -}}
{{- $root := .root }}
{{- $process := .process }}
{{- $set := .set | default dict }}
{{- range (.root.Files.Get "files/settings.json" | fromJson).settings }}
{{- if has $process .used }}
{{- $given := get $set .name | default (include "flashsale.given" (dict "root" $root "name" .name)) }}
{{- if and .secret (has .name $root.Values.secrets.keys) }}
- name: {{ .env }}_FILE
  value: {{ printf "/etc/flashsale/secrets/%s" .name }}
{{- else if and (has $process .needed) (not $given) }}
{{- fail (printf "%s: %s needs %s" (ternary "secrets.keys" (printf "settings.%s" .name) .secret) $process .name) }}
{{- else if $given }}
- name: {{ .env }}
  value: {{ $given | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* A quantity such as 1Gi of memory (in bytes) or 500m of CPU as a number. */}}
{{- define "flashsale.quantity" -}}
{{- $text := include "flashsale.text" . | trim }}
{{- $binary := dict "Ki" 1024.0 "Mi" 1048576.0 "Gi" 1073741824.0 "Ti" 1099511627776.0 }}
{{- $units := merge $binary (dict "" 1.0 "m" 0.001 "k" 1000.0 "M" 1000000.0 "G" 1000000000.0 "T" 1000000000000.0) }}
{{- $unit := regexFind "[A-Za-z]*$" $text }}
{{- mulf (float64 (trimSuffix $unit $text)) (get $units $unit) | printf "%f" }}
{{- end }}

{{/* The memory that Go keeps to, in bytes: nine tenths of a process's limit; nothing without a limit. */}}
{{- define "flashsale.memory" -}}
{{- with ((get .root.Values .component).resources.limits).memory }}
{{- printf "%.0f" (mulf (include "flashsale.quantity" . | float64) 0.9) }}
{{- end }}
{{- end }}

{{/* The environment of a process that serves: its settings, and the standard variables of the values. */}}
{{- define "flashsale.servingEnvironment" -}}
{{ include "flashsale.environment" . | trim }}
{{- $memory := include "flashsale.memory" . }}
{{- if and $memory (not (hasKey (.root.Values.environment | default dict) "GOMEMLIMIT")) }}
- name: GOMEMLIMIT
  value: {{ $memory | quote }}
{{- end }}
{{- range $name, $value := .root.Values.environment }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}

{{/* The secrets that a process reads, as items of a volume. */}}
{{- define "flashsale.secretItems" -}}
{{- $root := .root }}
{{- $process := .process }}
{{- range (.root.Files.Get "files/settings.json" | fromJson).settings }}
{{- if and .secret (has $process .used) (has .name $root.Values.secrets.keys) }}
- {key: {{ .name }}, path: {{ .name }}}
{{- end }}
{{- end }}
{{- end }}
