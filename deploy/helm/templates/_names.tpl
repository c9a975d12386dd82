{{- define "tmf683.name" -}}
{{ .Release.Name }}-{{ .Values.oda.componentName }}
{{- end -}}

{{- define "tmf683.image" -}}
{{- with .Values.image.registry }}{{ trimSuffix "/" . }}/{{ end }}{{ .Values.image.repository }}
{{- if .Values.image.digest }}@{{ .Values.image.digest }}
{{- else }}:{{ include "tmf683.text" (.Values.image.tag | default .Chart.AppVersion) }}
{{- end }}
{{- end -}}

{{- define "tmf683.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
{{ include "tmf683.commonLabels" . }}
{{- end -}}

{{- define "tmf683.commonLabels" -}}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
oda.tmforum.org/componentName: {{ include "tmf683.name" . }}
{{- end -}}

{{- define "tmf683.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "tmf683.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{ .Values.serviceAccount.name | default (include "tmf683.name" .) }}
{{- else -}}
{{ .Values.serviceAccount.name | default "default" }}
{{- end -}}
{{- end -}}

{{- /* The path before everything else, with which the ODA Canvas tells components apart. */ -}}
{{- define "tmf683.rootPath" -}}
{{- if hasKey .Values.settings "TMF_ROOT_PATH" }}{{ .Values.settings.TMF_ROOT_PATH }}
{{- else if .Values.oda.enabled }}/{{ include "tmf683.name" . }}
{{- end }}
{{- end -}}

{{- /* A number, without the exponent that Go prints from a million on, a boolean or a text. */ -}}
{{- define "tmf683.text" -}}
{{- if kindIs "string" . }}{{ . }}{{ else }}{{ toJson . }}{{ end -}}
{{- end -}}

{{- define "tmf683.texts" -}}
{{- range $name, $value := . }}
{{ $name | quote }}: {{ include "tmf683.text" $value | quote }}
{{- end }}
{{- end -}}

{{- define "tmf683.annotations" -}}
{{- with . }}
annotations:
  {{- include "tmf683.texts" . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* Not empty where a resource is asked for, or `auto` and the cluster has its API. */ -}}
{{- define "tmf683.made" -}}
{{- $has := .root.Capabilities.APIVersions.Has .api -}}
{{- if or (eq (toString .enabled) "true") (and (eq (toString .enabled) "auto") $has) }}true{{ end -}}
{{- end -}}

{{- define "tmf683.checked" -}}
{{- if not .Values.secrets.store }}
{{- fail "secrets.store must name the Secret that has TMF_STORE" }}
{{- end }}
{{- with .Values.identity }}
{{- if not (or .issuer .apiKeys .insecure) }}
{{- fail "identity: set issuer, audience and jwks, or apiKeys, or say insecure: true" }}
{{- end }}
{{- if and .issuer (not (and .audience .jwks)) }}
{{- fail "identity: issuer, audience and jwks belong together" }}
{{- end }}
{{- end }}
{{- range tuple "TMF_STORE" "TMF_CURSOR_KEY" "TMF_WEBHOOK_KEYS" }}
{{- if hasKey $.Values.settings . }}
{{- fail (printf "settings.%s belongs into a Secret that secrets.store or secrets.more names" .) }}
{{- end }}
{{- end }}
{{- range tuple "TMF_HOST" "TMF_PORT" "TMF_MANAGEMENT_PORT" }}
{{- if hasKey $.Values.settings . }}
{{- fail (printf "settings.%s is fixed: the chart's probes and services use it" .) }}
{{- end }}
{{- end }}
{{- range $name, $setting := dict "contracts" "TMF_SPEC" "sources" "TMF_SOURCES" }}
{{- with index $.Values $name }}
{{- if ne (empty .configMap) (empty .files) }}
{{- fail (printf "%s: configMap and files belong together" $name) }}
{{- end }}
{{- if and .configMap (hasKey $.Values.settings $setting) }}
{{- fail (printf "%s and settings.%s say the same; leave one out" $name $setting) }}
{{- end }}
{{- end }}
{{- end }}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) }}
{{- fail "httpRoute.parentRefs must name the Gateway" }}
{{- end }}
{{- end -}}

{{- define "tmf683.environment" -}}
envFrom:
  - configMapRef:
      name: {{ include "tmf683.name" . }}
  - secretRef:
      name: {{ .Values.secrets.store }}
  {{- range .Values.secrets.more }}
  - secretRef:
      name: {{ . }}
  {{- end }}
{{- with .Values.extraEnv }}
env:
  {{- range . }}
  - name: {{ .name }}
    {{- if hasKey . "valueFrom" }}
    valueFrom:
      {{- toYaml .valueFrom | nindent 6 }}
    {{- else }}
    value: {{ include "tmf683.text" .value | quote }}
    {{- end }}
  {{- end }}
{{- end }}
{{- end -}}

{{- /* What PodSecurity's level "restricted" asks of a container, and a read-only root besides. */ -}}
{{- define "tmf683.securityContext" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  runAsNonRoot: true
  {{- with .Values.userId }}
  runAsUser: {{ toJson . }}
  runAsGroup: {{ toJson . }}
  {{- end }}
  capabilities:
    drop: [ALL]
  seccompProfile:
    type: RuntimeDefault
{{- end -}}

{{- define "tmf683.restricted" -}}
{{ include "tmf683.securityContext" . }}
volumeMounts:
  - name: tmp
    mountPath: /tmp
  - name: data
    mountPath: /data
  {{- if .Values.contracts.configMap }}
  - name: contracts
    mountPath: /etc/tmf683/contracts
    readOnly: true
  {{- end }}
  {{- if .Values.sources.configMap }}
  - name: sources
    mountPath: /etc/tmf683/sources
    readOnly: true
  {{- end }}
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "tmf683.volumes" -}}
volumes:
  - name: tmp
    emptyDir: {}
  - name: data
    emptyDir: {}
  {{- with .Values.contracts.configMap }}
  - name: contracts
    configMap:
      name: {{ . }}
  {{- end }}
  {{- with .Values.sources.configMap }}
  - name: sources
    configMap:
      name: {{ . }}
  {{- end }}
  {{- with .Values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- /* What the pods of servers and delivery workers have in common. */ -}}
{{- define "tmf683.pod" -}}
serviceAccountName: {{ include "tmf683.serviceAccount" . }}
automountServiceAccountToken: false
enableServiceLinks: false # a Service called tmf would set TMF_PORT
securityContext:
  runAsNonRoot: true
  {{- with .Values.userId }}
  fsGroup: {{ toJson . }}
  {{- end }}
  seccompProfile:
    type: RuntimeDefault
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- include "tmf683.texts" . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "tmf683.podMetadata" -}}
labels:
  {{- with .root.Values.podLabels }}
  {{- include "tmf683.texts" . | nindent 2 }}
  {{- end }}
  {{- include "tmf683.labels" .root | nindent 2 }}
  app.kubernetes.io/component: {{ .component }}
annotations:
  {{- with .root.Values.podAnnotations }}
  {{- include "tmf683.texts" . | nindent 2 }}
  {{- end }}
  checksum/config: {{ include (print .root.Template.BasePath "/configmap.yaml") .root | sha256sum }}
{{- end -}}

{{- define "tmf683.spread" -}}
{{- $default := dict "maxSkew" 1 "topologyKey" "kubernetes.io/hostname" "whenUnsatisfiable" "ScheduleAnyway" }}
{{- $labels := merge (dict "app.kubernetes.io/component" .component) (include "tmf683.selector" .root | fromYaml) }}
{{- $own := dict "matchLabels" $labels }}
topologySpreadConstraints:
  {{- range .root.Values.topologySpreadConstraints | default (list $default) }}
  - {{- set (deepCopy .) "labelSelector" (.labelSelector | default $own) | toYaml | nindent 4 }}
  {{- end }}
{{- end -}}
