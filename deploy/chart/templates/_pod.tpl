{{/* What the pods of all processes share. process is the command; set is settings that win over the values. */}}
{{- define "flashsale.podSecurity" -}}
# The root file system is read-only, and no process writes a file.
automountServiceAccountToken: false
# Variables of Services would be taken for settings: those of a Service flashsale-gateway begin with FLASHSALE_GATEWAY_.
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ quote . }}
{{- end }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ quote . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "flashsale.containerSecurity" -}}
image: {{ include "flashsale.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy | quote }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{- define "flashsale.mounts" -}}
volumeMounts:
  - {name: secrets, mountPath: /etc/flashsale/secrets, readOnly: true}
{{- range .Values.files }}
  - {name: {{ quote .name }}, mountPath: {{ printf "/etc/flashsale/files/%s" .name | quote }}, readOnly: true}
{{- end }}
{{- end }}

{{- define "flashsale.volumes" -}}
volumes:
  - name: secrets
    secret:
      secretName: {{ .secret | default .root.Values.secrets.name | quote }}
      defaultMode: 0440
      items: {{- include "flashsale.secretItems" . | trim | nindent 8 }}
{{- range .root.Values.files }}
{{- if eq (empty .secret) (empty .configMap) }}{{ fail (printf "files %s: give either secret or configMap" .name) }}{{ end }}
  - name: {{ quote .name }}
{{- if .secret }}
    secret: {secretName: {{ quote .secret }}, defaultMode: 0440}
{{- else }}
    configMap: {name: {{ quote .configMap }}}
{{- end }}
{{- end }}
{{- end }}

{{/* Pods of a component spread over zones and nodes, in the preferred zones. hash is the label that tells versions apart. */}}
{{- define "flashsale.spread" -}}
topologySpreadConstraints:
{{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ $key }}
    whenUnsatisfiable: ScheduleAnyway
    matchLabelKeys: [{{ $.hash }}]
    labelSelector:
      matchLabels: {{- include "flashsale.selector" $ | nindent 8 }}
{{- end }}
{{- with .root.Values.preferredZones }}
affinity:
  nodeAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        preference:
          matchExpressions:
            - {key: topology.kubernetes.io/zone, operator: In, values: {{ toJson . }}}
{{- end }}
{{- end }}

{{/* A pod that runs one command to its end. */}}
{{- define "flashsale.command" -}}
restartPolicy: Never
serviceAccountName: default
{{ include "flashsale.podSecurity" .root }}
containers:
  - name: {{ .name }}
    {{- include "flashsale.containerSecurity" .root | nindent 4 }}
    args: {{ toJson .args }}
    env: {{- include "flashsale.environment" . | trim | nindent 6 }}
    resources:
      requests: {cpu: 100m, memory: 128Mi}
      limits: {memory: 256Mi}
    {{- include "flashsale.mounts" .root | nindent 4 }}
{{ include "flashsale.volumes" . }}
{{- end }}
