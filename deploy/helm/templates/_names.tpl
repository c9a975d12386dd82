{{- define "tmf683.name" -}}
{{ .Release.Name }}-{{ .Values.oda.componentName }}
{{- end -}}

{{- define "tmf683.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}

{{- define "tmf683.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
oda.tmforum.org/componentName: {{ include "tmf683.name" . }}
{{- end -}}

{{- define "tmf683.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
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
{{- end -}}

{{- define "tmf683.restricted" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  capabilities:
    drop: [ALL]
  seccompProfile:
    type: RuntimeDefault
volumeMounts:
  - name: tmp
    mountPath: /tmp
  - name: data
    mountPath: /data
{{- end -}}

{{- define "tmf683.volumes" -}}
volumes:
  - name: tmp
    emptyDir: {}
  - name: data
    emptyDir: {}
{{- end -}}
