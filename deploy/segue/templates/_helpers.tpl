{{- define "segue.name" -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- end }}

{{- define "segue.selector" -}}
app.kubernetes.io/name: segue
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "segue.labels" -}}
{{ include "segue.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "segue.secret" -}}
{{- .Values.existingSecret | default (printf "%s-settings" (include "segue.name" .)) -}}
{{- end }}

{{/* Annotations by which a change of the configuration starts new pods. */}}
{{- define "segue.annotations" -}}
checksum/configuration: {{ include (print $.Template.BasePath "/configuration.yaml") . | sha256sum }}
{{- with .Values.podAnnotations }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* What all pods have in common: no account, no rights, and where they may run. */}}
{{- define "segue.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 0
  seccompProfile:
    type: RuntimeDefault
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
volumes:
  - name: state
    emptyDir:
      sizeLimit: 1Gi
  - name: temporary
    emptyDir:
      sizeLimit: 2Gi
  {{- if .Values.certificates }}
  - name: certificates
    projected:
      sources:
        {{- range .Values.certificates }}
        {{- if .secret }}
        - secret:
            name: {{ .secret }}
        {{- else }}
        - configMap:
            name: {{ .configMap }}
        {{- end }}
            items:
              - key: {{ .key }}
                path: {{ .name }}
        {{- end }}
  {{- end }}
{{- end }}

{{/* What all containers have in common. The root of their file system is read-only. */}}
{{- define "segue.container" -}}
image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
envFrom:
  - configMapRef:
      name: {{ include "segue.name" . }}
  {{- if or .Values.existingSecret .Values.secrets }}
  - secretRef:
      name: {{ include "segue.secret" . }}
  {{- end }}
volumeMounts:
  - name: state
    mountPath: /opt/segue/.segue
  - name: temporary
    mountPath: /tmp
  {{- if .Values.certificates }}
  - name: certificates
    mountPath: /etc/segue/ca
    readOnly: true
  {{- end }}
{{- end }}
