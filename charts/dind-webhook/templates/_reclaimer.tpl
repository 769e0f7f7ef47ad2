{{/* Directories of image stores on the nodes, as a JSON list: those of the profiles, and those of
reclaimer.hostPaths. */}}
{{- define "dind-webhook.storeDirectories" -}}
{{- $directories := .Values.reclaimer.hostPaths -}}
{{- range $profile := (include "dind-webhook.config" . | fromYaml).profiles -}}
{{- with dig "storage" "persistent" "" ($profile | default dict) -}}
{{- $directories = append $directories (.hostPath | default "/var/lib/dind-webhook") -}}
{{- end -}}
{{- end -}}
{{- $directories | uniq | sortAlpha | toJson -}}
{{- end -}}

{{/* What contradicts itself in the directories of image stores, a JSON list of sentences. Takes $. */}}
{{- define "dind-webhook.reclaimerProblems" -}}
{{- $problems := list -}}
{{- $directories := include "dind-webhook.storeDirectories" . | fromJsonArray -}}
{{- range $directory := $directories -}}
{{- range $other := $directories -}}
{{- if hasPrefix (printf "%s/" $directory) $other -}}
{{- $problems = append $problems (printf "storage.persistent.hostPath, reclaimer.hostPaths: %s is in %s; image stores need separate directories" $other $directory) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $problems | toJson -}}
{{- end -}}
