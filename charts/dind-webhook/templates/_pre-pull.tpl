{{/* Images of the daemons of all profiles, as a JSON list without duplicates. */}}
{{- define "dind-webhook.profileImages" -}}
{{- $config := include "dind-webhook.config" . | fromYaml -}}
{{- $profiles := $config.profiles | default dict -}}
{{- $images := list -}}
{{- if and (eq ($config.defaultProfile | default "default") "default") (not (hasKey $profiles "default")) -}}
{{- $profiles = set (deepCopy $profiles) "default" dict -}}
{{- end -}}
{{- range $profile := $profiles -}}
{{- $images = append $images (get ($profile | default dict) "image" | default "docker:29-dind") -}}
{{- end -}}
{{- $images | uniq | sortAlpha | toJson -}}
{{- end -}}

{{/* What contradicts itself in the values of the pre-pull, a JSON list of sentences. Takes $. */}}
{{- define "dind-webhook.prePullProblems" -}}
{{- $problems := list -}}
{{- if and .Values.imagePrePull.enabled (not (include "dind-webhook.profileImages" . | fromJsonArray)) -}}
{{- $problems = append $problems "imagePrePull.enabled: there is no image to pull, because config.profiles is empty; add a profile, or set imagePrePull.enabled to false" -}}
{{- end -}}
{{- $problems | toJson -}}
{{- end -}}

{{/* The fields that all containers of the pre-pull have in common. They have the pull policy of injected containers,
the default one. */}}
{{- define "dind-webhook.prePullContainer" -}}
resources:
  {{- toYaml .Values.imagePrePull.resources | nindent 2 }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end -}}
