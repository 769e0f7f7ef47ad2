{{/* The name of all objects, called F in values.yaml. The limit of 50 leaves space for suffixes. */}}
{{- define "dind-webhook.fullname" -}}
{{- $name := .Values.nameOverride | default .Chart.Name -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Labels of pod selectors, which are immutable. Takes (list $ COMPONENT). */}}
{{- define "dind-webhook.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ $root.Values.nameOverride | default $root.Chart.Name | quote }}
app.kubernetes.io/instance: {{ $root.Release.Name | quote }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* Labels of all objects. Takes (list $ COMPONENT). */}}
{{- define "dind-webhook.labels" -}}
{{- $root := index . 0 -}}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{ include "dind-webhook.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
{{- with $root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Metadata of an object in the namespace of the release. Takes (list $ COMPONENT SUFFIX), and a map of
further annotations. */}}
{{- define "dind-webhook.metadata" -}}
{{ include "dind-webhook.clusterMetadata" . }}
namespace: {{ (index . 0).Release.Namespace | quote }}
{{- end -}}

{{/* Metadata of an object without a namespace. Takes (list $ COMPONENT SUFFIX), and a map of further
annotations. */}}
{{- define "dind-webhook.clusterMetadata" -}}
{{- $root := index . 0 -}}
name: {{ include "dind-webhook.fullname" $root }}{{ index . 2 }}
labels:
  {{- include "dind-webhook.labels" . | nindent 2 }}
{{- $annotations := deepCopy $root.Values.commonAnnotations -}}
{{- if gt (len .) 3 -}}
{{- $annotations = mergeOverwrite $annotations (index . 3) -}}
{{- end }}
{{- with $annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "dind-webhook.image" -}}
{{- $registry := .Values.global.imageRegistry | default .Values.image.registry -}}
{{- with .Values.image -}}
{{- with $registry }}{{ trimSuffix "/" . }}/{{ end -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "dind-webhook.imagePullSecrets" -}}
{{- with concat .Values.imagePullSecrets .Values.global.imagePullSecrets | uniq -}}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end -}}
{{- end -}}

{{/* The ServiceAccount of the serving pods. */}}
{{- define "dind-webhook.serviceAccount" -}}
{{- with .Values.serviceAccount -}}
{{- .name | default (.create | ternary (include "dind-webhook.fullname" $) "default") -}}
{{- end -}}
{{- end -}}

{{/* Scheduling of the serving pods and of the certificate rotation. */}}
{{- define "dind-webhook.scheduling" -}}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The name depends on the mode, because a change of the mode deletes the Secrets of mode self. */}}
{{- define "dind-webhook.tlsSecret" -}}
{{- $name := include "dind-webhook.fullname" . -}}
{{- if eq .Values.certificates.mode "provided" -}}
{{- .Values.certificates.provided.secretName -}}
{{- else if eq .Values.certificates.mode "cert-manager" -}}
{{- $name }}-cert-manager-tls
{{- else -}}
{{- $name }}-tls
{{- end -}}
{{- end -}}

{{/* The configuration file, with the profile `node` if node.enabled is true, with the mirrors of the registry
caches, and with the image of the exporters. */}}
{{- define "dind-webhook.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- if .Values.node.enabled -}}
{{- $profiles := $config.profiles | default dict -}}
{{- if not (hasKey $profiles "node") -}}
{{- $_ := set $profiles "node" (dict "mode" "node" "image" .Values.node.image) -}}
{{- end -}}
{{- $_ := set $config "profiles" $profiles -}}
{{- end -}}
{{- include "dind-webhook.useRegistryCaches" (list . $config) -}}
{{- range $profile := $config.profiles -}}
{{- with dig "daemon" dict ($profile | default dict) -}}
{{- if kindIs "map" .metrics -}}
{{- $_ := set .metrics "image" (.metrics.image | default (include "dind-webhook.image" $)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{/* Whether a profile has an exporter: `true`, or empty. */}}
{{- define "dind-webhook.hasExporters" -}}
{{- range $profile := (include "dind-webhook.config" . | fromYaml).profiles -}}
{{- if dig "daemon" "metrics" "" ($profile | default dict) -}}
true
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Namespaces for whose pods the webhook is never called, as a JSON list. */}}
{{- define "dind-webhook.excludedNamespaces" -}}
{{- $always := list "kube-system" "kube-public" "kube-node-lease" .Release.Namespace -}}
{{- concat $always .Values.webhook.excludedNamespaces | uniq | toJson -}}
{{- end -}}

{{/* Annotations of objects that exist only while `helm test` runs. Takes (list $ WEIGHT). */}}
{{- define "dind-webhook.testAnnotations" -}}
{{- with (index . 0).Values.commonAnnotations }}
{{- toYaml . }}
{{ end -}}
helm.sh/hook: test
helm.sh/hook-weight: {{ index . 1 | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded,hook-failed
{{- end -}}

{{/* An update strategy; settings of RollingUpdate that come from the defaults are left out of others. */}}
{{- define "dind-webhook.updateStrategy" -}}
{{- if eq (.type | default "RollingUpdate") "RollingUpdate" -}}
{{- toYaml . -}}
{{- else -}}
{{- toYaml (omit . "rollingUpdate") -}}
{{- end -}}
{{- end -}}

{{/* Metadata of a ServiceMonitor or PodMonitor. Takes (list $ VALUES COMPONENT SUFFIX). */}}
{{- define "dind-webhook.monitorMetadata" -}}
{{- $root := index . 0 -}}
name: {{ include "dind-webhook.fullname" $root }}{{ index . 3 }}
namespace: {{ $root.Release.Namespace | quote }}
labels:
  {{- include "dind-webhook.labels" (list $root (index . 2)) | nindent 2 }}
  {{- with (index . 1).labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with $root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Settings of an endpoint that ServiceMonitor and PodMonitor share. Takes the values of one. */}}
{{- define "dind-webhook.scrapeSettings" -}}
{{- with .interval }}
interval: {{ . }}
{{- end }}
{{- with .scrapeTimeout }}
scrapeTimeout: {{ . }}
{{- end }}
{{- with .metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The fields that the containers of the node check with a token have in common. */}}
{{- define "dind-webhook.labelNode" -}}
image: {{ include "dind-webhook.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
command: [dind-webhook, label-node, $(NODE_NAME)]
env:
  - name: NODE_NAME
    valueFrom:
      fieldRef:
        fieldPath: spec.nodeName
resources:
  {{- toYaml .Values.userNamespaces.nodeCheck.resources | nindent 2 }}
securityContext:
  {{- toYaml .Values.securityContext | nindent 2 }}
volumeMounts:
  - name: token
    mountPath: /var/run/secrets/kubernetes.io/serviceaccount
    readOnly: true
{{- end -}}

{{/* The egress rule of a NetworkPolicy for requests to the API server, whose ports may be unknown. */}}
{{- define "dind-webhook.apiServerEgress" -}}
{{- with .Values.networkPolicy.apiServerPorts -}}
- ports:
    {{- range . }}
    - port: {{ . }}
      protocol: TCP
    {{- end }}
{{- else -}}
- {}
{{- end -}}
{{- end -}}
