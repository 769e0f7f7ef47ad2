{{/* Values that are fine one by one and make no sense together; all problems at once. */}}
{{- define "dind-webhook.validate" -}}
{{- $problems := concat
  (include "dind-webhook.nameProblems" . | fromJsonArray)
  (include "dind-webhook.replicaProblems" . | fromJsonArray)
  (include "dind-webhook.certificateProblems" . | fromJsonArray)
  (include "dind-webhook.callerProblems" . | fromJsonArray)
  (include "dind-webhook.configProblems" . | fromJsonArray)
-}}
{{- if $problems -}}
{{- fail (printf "\n\n%s\n" (join "\n" $problems)) -}}
{{- end -}}
{{- end -}}

{{- define "dind-webhook.nameProblems" -}}
{{- $problems := list -}}
{{- $name := include "dind-webhook.fullname" . -}}
{{- if not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" $name) -}}
{{- $problems = append $problems (printf "The objects would be called %q, and a Service's name has lower-case letters, digits and inner hyphens only and begins with a letter: set fullnameOverride." $name) -}}
{{- end -}}
{{- if and .Values.image.tag .Values.image.digest -}}
{{- $problems = append $problems "image.tag and image.digest are both set, and the digest alone decides: remove one of them." -}}
{{- end -}}
{{- if and .Values.checker.subjects (not .Values.checker.create) -}}
{{- $problems = append $problems "checker.subjects is set, but checker.create is false, so there is no role to give them: set checker.create to true or remove the subjects." -}}
{{- end -}}
{{- if has .Values.tests.namespace .Values.webhook.excludedNamespaces -}}
{{- $problems = append $problems (printf "tests.namespace is %s, which webhook.excludedNamespaces excludes, so the test would always fail: name another namespace." .Values.tests.namespace) -}}
{{- end -}}
{{- $problems | toJson -}}
{{- end -}}

{{- define "dind-webhook.replicaProblems" -}}
{{- $problems := list -}}
{{- $scaling := .Values.autoscaling -}}
{{- $replicas := int (.Values.replicas | default 2) -}}
{{- $source := printf "replicas is %d" $replicas -}}
{{- if $scaling.enabled -}}
{{- $replicas = int $scaling.minReplicas -}}
{{- $source = printf "autoscaling.minReplicas is %d" $replicas -}}
{{- if .Values.replicas -}}
{{- $problems = append $problems "replicas is set and autoscaling.enabled is true, so both would decide how many pods there are: remove replicas or turn autoscaling off." -}}
{{- end -}}
{{- if gt $replicas (int $scaling.maxReplicas) -}}
{{- $problems = append $problems (printf "%s, more than autoscaling.maxReplicas, %d." $source (int $scaling.maxReplicas)) -}}
{{- end -}}
{{- if not (dig "requests" "cpu" "" .Values.resources) -}}
{{- $problems = append $problems "autoscaling.enabled is true, and the CPU that it aims at is a part of resources.requests.cpu, which is not set." -}}
{{- end -}}
{{- end -}}
{{- with .Values.podDisruptionBudget -}}
{{- if and .enabled (ge (int .minAvailable) $replicas) -}}
{{- $problems = append $problems (printf "podDisruptionBudget.minAvailable is %d and %s, so no node with such a pod could be drained: lower it, add replicas, or set podDisruptionBudget.enabled to false." (int .minAvailable) $source) -}}
{{- end -}}
{{- end -}}
{{- $problems | toJson -}}
{{- end -}}

{{- define "dind-webhook.certificateProblems" -}}
{{- $problems := list -}}
{{- with .Values.certificates -}}
{{- if eq .mode "provided" -}}
{{- if not .provided.secretName -}}
{{- $problems = append $problems "certificates.mode is provided, and certificates.provided.secretName does not say by which Secret." -}}
{{- end -}}
{{- if not .provided.caBundle -}}
{{- $problems = append $problems "certificates.mode is provided, and certificates.provided.caBundle is empty, so the API server would trust nobody: give the certificates that it shall trust, in PEM." -}}
{{- else if not (contains "-----BEGIN CERTIFICATE-----" .provided.caBundle) -}}
{{- $problems = append $problems "certificates.provided.caBundle holds no certificate in PEM (-----BEGIN CERTIFICATE-----)." -}}
{{- end -}}
{{- if contains "PRIVATE KEY-----" .provided.caBundle -}}
{{- $problems = append $problems "certificates.provided.caBundle holds a private key, which must not leave its Secret: give certificates only." -}}
{{- end -}}
{{- else -}}
{{- range $key, $value := .provided -}}
{{- if $value -}}
{{- $problems = append $problems (printf "certificates.provided.%s is set, but certificates.mode is %s, which has a certificate of its own: remove it or set the mode to provided." $key $.Values.certificates.mode) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and (eq .mode "self") (gt (int .self.servingCertificateDays) (int .self.caDays)) -}}
{{- $problems = append $problems (printf "certificates.self.servingCertificateDays is %d, more than certificates.self.caDays, %d, and no certificate outlives its CA." (int .self.servingCertificateDays) (int .self.caDays)) -}}
{{- end -}}
{{- if and .certManager.issuerRef (ne .mode "cert-manager") -}}
{{- $problems = append $problems (printf "certificates.certManager.issuerRef is set, but certificates.mode is %s: remove it or set the mode to cert-manager." .mode) -}}
{{- end -}}
{{- end -}}
{{- $problems | toJson -}}
{{- end -}}

{{- define "dind-webhook.callerProblems" -}}
{{- $problems := list -}}
{{- with .Values.webhook.clientCA -}}
{{- if and .configMapName .secretName -}}
{{- $problems = append $problems "webhook.clientCA.configMapName and .secretName are both set, and the certificates come from one of them: remove the other." -}}
{{- end -}}
{{- if and .name (not .configMapName) (not .secretName) -}}
{{- $problems = append $problems "webhook.clientCA.name is set, but no certificates vouch for it: set webhook.clientCA.configMapName or .secretName." -}}
{{- end -}}
{{- end -}}
{{- $problems | toJson -}}
{{- end -}}

{{/* What the operator's JSON Schema cannot say and the service would refuse at its start. */}}
{{- define "dind-webhook.configProblems" -}}
{{- $problems := list -}}
{{- $config := include "dind-webhook.config" . | fromYaml -}}
{{- $default := $config.defaultProfile | default "default" -}}
{{- $profiles := $config.profiles | default dict -}}
{{- $names := keys $profiles -}}
{{- if eq $default "default" -}}
{{- $names = append $names "default" | uniq -}}
{{- end -}}
{{- $known := $names | sortAlpha | join ", " -}}
{{- if not (has $default $names) -}}
{{- $problems = append $problems (printf "config.defaultProfile is %q, which is not a profile (%s)." $default $known) -}}
{{- end -}}
{{- range $pattern, $allowed := dig "policy" "profiles" dict $config -}}
{{- range $allowed -}}
{{- if not (has . $names) -}}
{{- $problems = append $problems (printf "config.policy.profiles.%s names %q, which is not a profile (%s)." $pattern . $known) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $name, $profile := $profiles -}}
{{- if and (eq (toString $profile.privileged) "false") (not $profile.runtimeClassName) -}}
{{- $problems = append $problems (printf "config.profiles.%s has privileged: false, which needs a runtimeClassName (such as sysbox or kata)." $name) -}}
{{- end -}}
{{- end -}}
{{- $problems | toJson -}}
{{- end -}}
