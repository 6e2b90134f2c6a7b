{{/* Listeners that probes and Services reach, and that do not take each other's port. */}}
{{- define "flashsale.checkListeners" -}}
{{- range $name := list "gateway.listen" "admin.listen" "settle.listen" }}
{{- $address := include "flashsale.setting" (dict "root" $ "name" $name) }}
{{- $port := include "flashsale.port" (dict "root" $ "name" $name) }}
{{- if or (not (regexMatch "^(0\\.0\\.0\\.0|\\[::\\])?:[1-9][0-9]{0,4}$" $address)) (gt (int $port) 65535) }}
{{- fail (printf "settings.%s is %s: probes and Services reach only a port of every address, such as :8080" $name $address) }}
{{- end }}
{{- end }}
{{- $buyers := include "flashsale.port" (dict "root" . "name" "gateway.listen") }}
{{- if eq $buyers (include "flashsale.port" (dict "root" . "name" "admin.listen")) }}
{{- fail (printf "settings.gateway.listen and settings.admin.listen both have port %s, which one listener of a pod takes" $buyers) }}
{{- end }}
{{- end }}

{{/* Folders of files, each of which is mounted once, and what settings and variables name in them. */}}
{{- define "flashsale.checkFiles" -}}
{{- $names := list }}
{{- range .Values.files }}
{{- if or (has .name $names) (eq .name "secrets") }}
{{- fail (printf "files: the name %s is taken; each needs one of its own, and secrets has those of secrets.name" .name) }}
{{- end }}
{{- $names = append $names .name }}
{{- end }}
{{- $paths := dict }}
{{- range (.Files.Get "files/settings.json" | fromJson).settings }}
{{- $_ := set $paths (printf "settings.%s" .name) (include "flashsale.given" (dict "root" $ "name" .name)) }}
{{- end }}
{{- range $name, $value := .Values.environment }}
{{- $_ := set $paths (printf "environment.%s" $name) $value }}
{{- end }}
{{- range $key, $path := $paths }}
{{- if hasPrefix "/etc/flashsale/files/" $path }}
{{- $parts := splitList "/" (trimPrefix "/etc/flashsale/files/" $path) }}
{{- if not (has (first $parts) $names) }}
{{- fail (printf "%s is %s, and files has no name %s" $key $path (first $parts)) }}
{{- end }}
{{- if not (rest $parts | join "/") }}
{{- fail (printf "%s is %s, a folder of files: name the file in it" $key $path) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* The image: a tag that is one, and a colour for the canary. */}}
{{- define "flashsale.checkImage" -}}
{{- $image := .Values.image }}
{{- if and $image.tag (not (regexMatch "^[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$" $image.tag)) }}
{{- fail (printf "image.tag is %s: a tag, also a label, has up to 63 letters, digits and ._-, none of ._- at the ends; %s"
  $image.tag "a digest (sha256:...) belongs in image.digest") }}
{{- end }}
{{- if and .Values.canary.enabled $image.digest (not $image.tag) }}
{{- fail "image.tag: a canary needs it beside image.digest, because the value of canary.header is the tag" }}
{{- end }}
{{- end }}

{{/* Names that all objects get from the release. A Service may begin with a digit from Kubernetes 1.37 on; none has a dot. */}}
{{- define "flashsale.checkRelease" -}}
{{- $old := semverCompare "<1.37.0-0" .Capabilities.KubeVersion.Version }}
{{- if contains "." .Release.Name }}
{{- fail (printf "the release is named %s: choose a name without a dot, because Services have it in theirs" .Release.Name) }}
{{- end }}
{{- if and $old (regexMatch "^[0-9]" .Release.Name) }}
{{- fail (printf "the release is named %s: choose a name that begins with a letter, because Services have it in theirs, and %s"
  .Release.Name "Kubernetes before 1.37 takes no Service that begins with a digit") }}
{{- end }}
{{- if not (regexMatch "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$" .Release.Namespace) }}
{{- fail (printf "the namespace %q is none: its name has up to 63 small letters, digits and -" .Release.Namespace) }}
{{- end }}
{{- end }}

{{/* Memory that a process starts with, and requests that its limits allow. */}}
{{- define "flashsale.checkResources" -}}
{{- range $process := list "gateway" "settle" }}
{{- $resources := (get $.Values $process).resources }}
{{- $limits := $resources.limits | default dict }}
{{- if and $limits.memory (lt (include "flashsale.quantity" $limits.memory | float64) 134217728.0) }}
{{- fail (printf "%s.resources.limits.memory is %s: a process takes 128Mi before its first connection or record" $process
  (include "flashsale.text" $limits.memory)) }}
{{- end }}
{{- $scaled := and (eq $process "gateway") (eq $.Values.gateway.autoscaling.kind "hpa") }}
{{- if and $scaled (not ($resources.requests).cpu) (not $limits.cpu) }}
{{- fail "gateway.resources.requests.cpu: gateway.autoscaling.kind hpa counts in parts of it" }}
{{- end }}
{{- range $name, $request := $resources.requests }}
{{- $limit := get $limits $name }}
{{- if and (ne (toString $limit) "") (gt (include "flashsale.quantity" $request | float64)
  (include "flashsale.quantity" $limit | float64)) }}
{{- fail (printf "%s.resources.requests.%s is %s, above the limit %s" $process $name (include "flashsale.text" $request)
  (include "flashsale.text" $limit)) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* Steps of a canary, each a greater share of buyers than the one before. */}}
{{- define "flashsale.checkCanary" -}}
{{- $before := 0 }}
{{- range .Values.canary.steps }}
{{- if le (int .weight) $before }}
{{- fail (printf "canary.steps: the weight %d follows %d, and each has to exceed the one before" (int .weight) $before) }}
{{- end }}
{{- $before = int .weight }}
{{- end }}
{{- end }}

{{/* A range of a time begins before its end: KEDA refuses another one, such as fri-mon. Days begin with Sunday, which is 0. */}}
{{- define "flashsale.checkTime" -}}
{{- $text := lower .time }}
{{- range $i, $name := list "jan" "feb" "mar" "apr" "may" "jun" "jul" "aug" "sep" "oct" "nov" "dec" }}
{{- $text = replace $name (toString (add1 $i)) $text }}
{{- end }}
{{- range $i, $name := list "sun" "mon" "tue" "wed" "thu" "fri" "sat" }}
{{- $text = replace $name (toString $i) $text }}
{{- end }}
{{- range regexFindAll "[0-9]+-[0-9]+" $text -1 }}
{{- $range := splitList "-" . }}
{{- if gt (atoi (first $range)) (atoi (last $range)) }}
{{- fail (printf "schedule %s: %s is %s: the range %s ends before it begins" $.name $.member $.time .) }}
{{- end }}
{{- end }}
{{- end }}

{{/* Entries of the schedule, each a trigger of KEDA with a name of its own, beside those of the chart. */}}
{{- define "flashsale.checkSchedule" -}}
{{- $v := .Values }}
{{- $names := list }}
{{- range $v.schedule }}
{{- if or (has .name $names) (has .name (list "connections" "lag")) }}
{{- fail (printf "schedule: the name %s is taken; each entry needs its own, and the chart has connections and lag" .name) }}
{{- end }}
{{- $names = append $names .name }}
{{- end }}
{{- range $v.schedule }}
{{- if not (or .gateway .settle) }}
{{- fail (printf "schedule %s has neither gateway nor settle, so it starts nothing" .name) }}
{{- end }}
{{- include "flashsale.checkTime" (dict "name" .name "member" "start" "time" .start) }}
{{- include "flashsale.checkTime" (dict "name" .name "member" "end" "time" .end) }}
{{- if eq .start .end }}
{{- fail (printf "schedule %s: start and end are both %s, which KEDA refuses" .name .start) }}
{{- end }}
{{- if and .gateway (ne $v.gateway.autoscaling.kind "keda") }}
{{- fail (printf "schedule %s has gateways and needs gateway.autoscaling.kind keda" .name) }}
{{- end }}
{{- if and .settle (ne $v.settle.autoscaling.kind "keda") }}
{{- fail (printf "schedule %s has settling processes and needs settle.autoscaling.kind keda" .name) }}
{{- end }}
{{- if gt (int (.gateway | default 0)) (int $v.gateway.autoscaling.max) }}
{{- fail (printf "schedule %s: more gateways than gateway.autoscaling.max" .name) }}
{{- end }}
{{- if gt (int (.settle | default 0)) (int $v.settle.autoscaling.max) }}
{{- fail (printf "schedule %s: more settling processes than settle.autoscaling.max" .name) }}
{{- end }}
{{- end }}
{{- end }}
