{{/* Names: `<release>-operator` and `<release>-etcd`. */}}
{{- define "grepzilla.operator" -}}{{ .Release.Name | trunc 50 | trimSuffix "-" }}-operator{{- end }}
{{- define "grepzilla.etcd" -}}{{ .Release.Name | trunc 50 | trimSuffix "-" }}-etcd{{- end }}

{{/* What selects the pods of one component: (dict "root" $ "component" "operator"). Never changes. */}}
{{- define "grepzilla.selector" -}}
app.kubernetes.io/name: grepzilla
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "grepzilla.labels" -}}
{{ include "grepzilla.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{/* The endpoints that clusters get which name none: of the etcd beside the operator, or of one's own; empty if there are none. */}}
{{- define "grepzilla.endpoints" -}}
{{- if .Values.etcd.enabled -}}
http://{{ include "grepzilla.etcd" . }}.{{ .Release.Namespace }}.svc:2379
{{- else -}}
{{ join "," .Values.etcd.endpoints }}
{{- end -}}
{{- end }}

{{- define "grepzilla.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "grepzilla.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}

{{- define "grepzilla.pullSecrets" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- end }}
