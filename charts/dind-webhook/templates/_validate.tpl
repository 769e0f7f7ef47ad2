{{/* Checks that the schema of the values cannot express. All problems are reported at once. */}}
{{- define "dind-webhook.validate" -}}
{{- $problems := concat
  (include "dind-webhook.nameProblems" . | fromJsonArray)
  (include "dind-webhook.replicaProblems" . | fromJsonArray)
  (include "dind-webhook.certificateProblems" . | fromJsonArray)
  (include "dind-webhook.clientProblems" . | fromJsonArray)
  (include "dind-webhook.configProblems" . | fromJsonArray)
  (include "dind-webhook.userNamespaceProblems" . | fromJsonArray)
  (include "dind-webhook.registryCacheProblems" . | fromJsonArray)
  (include "dind-webhook.reclaimerProblems" . | fromJsonArray)
  (include "dind-webhook.prePullProblems" . | fromJsonArray)
  (include "dind-webhook.explainPageProblems" . | fromJsonArray)
-}}
{{- if $problems -}}
{{- fail (printf "\n\n%s\n" (join "\n" $problems)) -}}
{{- end -}}
{{- end -}}

{{- define "dind-webhook.nameProblems" -}}
{{- $problems := list -}}
{{- $names := list -}}
{{- range .Files.Get "files/webhooks.json" | fromJsonArray -}}
{{- range .matchConditions -}}
{{- $names = append $names .name -}}
{{- end -}}
{{- end -}}
{{- $name := include "dind-webhook.fullname" . -}}
{{- if not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" $name) -}}
{{- $problems = append $problems (printf "fullnameOverride: the name of the objects would be %q; accepted: lower-case letters, digits and inner hyphens, beginning with a letter" $name) -}}
{{- end -}}
{{- if and .Values.image.tag .Values.image.digest -}}
{{- $problems = append $problems "image.tag: cannot be set together with image.digest; remove one of them" -}}
{{- end -}}
{{- if and .Values.rbac.reader.subjects (not .Values.rbac.reader.create) -}}
{{- $problems = append $problems "rbac.reader.subjects: there is no ClusterRole to bind, because rbac.reader.create is false; set rbac.reader.create to true or remove the subjects" -}}
{{- end -}}
{{- if eq .Values.tests.namespace .Release.Namespace -}}
{{- $problems = append $problems (printf "tests.namespace: pods in %q, the namespace of the release, are never injected, so helm test would fail; set another namespace, or install into a namespace of its own (--namespace dind-webhook)" .Values.tests.namespace) -}}
{{- else if has .Values.tests.namespace (include "dind-webhook.excludedNamespaces" . | fromJsonArray) -}}
{{- $problems = append $problems (printf "tests.namespace: namespace %q is excluded from injection, so helm test would fail; set another namespace" .Values.tests.namespace) -}}
{{- end -}}
{{- with .Values.webhook -}}
{{- if and .hostNetwork (has (int .port) (list 10250 10255 10256)) -}}
{{- $problems = append $problems (printf "webhook.port: %d is a port of the kubelet or kube-proxy, so it cannot be used if webhook.hostNetwork is true; set another one, such as 10260" (int .port)) -}}
{{- end -}}
{{- if eq (int .port) (int .adminPort) -}}
{{- $problems = append $problems (printf "webhook.adminPort: %d is webhook.port already; set another one" (int .port)) -}}
{{- end -}}
{{- range .matchConditions -}}
{{- if has .name $names -}}
{{- $problems = append $problems (printf "webhook.matchConditions: the name %q is taken; set another one" .name) -}}
{{- end -}}
{{- $names = append $names .name -}}
{{- end -}}
{{- end -}}
{{- if and .Values.metrics.serviceMonitor.enabled .Values.metrics.podMonitor.enabled -}}
{{- $problems = append $problems "metrics.podMonitor.enabled: cannot be true together with metrics.serviceMonitor.enabled, because each metric would be scraped twice; disable one of them" -}}
{{- end -}}
{{- $problems | toJson -}}
{{- end -}}

{{- define "dind-webhook.replicaProblems" -}}
{{- $problems := list -}}
{{- $scaling := .Values.autoscaling -}}
{{- $replicas := int (.Values.replicaCount | default 2) -}}
{{- $source := "replicaCount" -}}
{{- if $scaling.enabled -}}
{{- $replicas = int $scaling.minReplicas -}}
{{- $source = "autoscaling.minReplicas" -}}
{{- if .Values.replicaCount -}}
{{- $problems = append $problems "replicaCount: cannot be set if autoscaling.enabled is true; remove one of them" -}}
{{- end -}}
{{- if gt $replicas (int $scaling.maxReplicas) -}}
{{- $problems = append $problems (printf "autoscaling.minReplicas: %d is greater than autoscaling.maxReplicas (%d)" $replicas (int $scaling.maxReplicas)) -}}
{{- end -}}
{{- if not (dig "requests" "cpu" "" .Values.resources) -}}
{{- $problems = append $problems "resources.requests.cpu: required if autoscaling.enabled is true, because the target utilization is a percentage of it" -}}
{{- end -}}
{{- end -}}
{{- with .Values.podDisruptionBudget -}}
{{- if and .minAvailable .maxUnavailable -}}
{{- $problems = append $problems "podDisruptionBudget.minAvailable: cannot be set together with podDisruptionBudget.maxUnavailable; remove one of them" -}}
{{- else if and .enabled .minAvailable (not (kindIs "string" .minAvailable)) (ge (int .minAvailable) $replicas) -}}
{{- $problems = append $problems (printf "podDisruptionBudget.minAvailable: %d is not less than %s (%d), so nodes with such a pod could not be drained; lower it, add replicas, or set podDisruptionBudget.enabled to false" (int .minAvailable) $source $replicas) -}}
{{- end -}}
{{- end -}}
{{- $problems | toJson -}}
{{- end -}}

{{- define "dind-webhook.certificateProblems" -}}
{{- $problems := list -}}
{{- with .Values.certificates -}}
{{- if eq .mode "provided" -}}
{{- if not .provided.secretName -}}
{{- $problems = append $problems "certificates.provided.secretName: required if certificates.mode is provided" -}}
{{- end -}}
{{- if not .provided.caBundle -}}
{{- $problems = append $problems "certificates.provided.caBundle: required if certificates.mode is provided; accepted: the CA certificates that the API server trusts, in PEM" -}}
{{- else if not (contains "-----BEGIN CERTIFICATE-----" .provided.caBundle) -}}
{{- $problems = append $problems "certificates.provided.caBundle: contains no certificate in PEM (-----BEGIN CERTIFICATE-----)" -}}
{{- end -}}
{{- if contains "PRIVATE KEY-----" .provided.caBundle -}}
{{- $problems = append $problems "certificates.provided.caBundle: contains a private key; accepted: certificates only" -}}
{{- end -}}
{{- else -}}
{{- range $key, $value := .provided -}}
{{- if $value -}}
{{- $problems = append $problems (printf "certificates.provided.%s: has no effect if certificates.mode is %s; remove it or set the mode to provided" $key $.Values.certificates.mode) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and (eq .mode "self") (gt (int .self.servingCertificateDays) (int .self.caDays)) -}}
{{- $problems = append $problems (printf "certificates.self.servingCertificateDays: %d is greater than certificates.self.caDays (%d)" (int .self.servingCertificateDays) (int .self.caDays)) -}}
{{- end -}}
{{- if and .certManager.issuerRef (ne .mode "cert-manager") -}}
{{- $problems = append $problems (printf "certificates.certManager.issuerRef: has no effect if certificates.mode is %s; remove it or set the mode to cert-manager" .mode) -}}
{{- end -}}
{{- end -}}
{{- $problems | toJson -}}
{{- end -}}

{{- define "dind-webhook.clientProblems" -}}
{{- $problems := list -}}
{{- with .Values.webhook.clientCA -}}
{{- if and .configMapName .secretName -}}
{{- $problems = append $problems "webhook.clientCA.configMapName: cannot be set together with webhook.clientCA.secretName; remove one of them" -}}
{{- end -}}
{{- if and .name (not .configMapName) (not .secretName) -}}
{{- $problems = append $problems "webhook.clientCA.name: requires webhook.clientCA.configMapName or webhook.clientCA.secretName" -}}
{{- end -}}
{{- end -}}
{{- $problems | toJson -}}
{{- end -}}

{{/* Errors of the configuration file that its JSON Schema cannot express. */}}
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
{{- $problems = append $problems (printf "config.defaultProfile: unknown profile %q (available: %s)" $default $known) -}}
{{- end -}}
{{- if and .Values.node.enabled (not (dig "profiles" "node" "" .Values.config)) -}}
{{- $allowed := list -}}
{{- range $_, $names := dig "policy" "profiles" dict $config -}}
{{- $allowed = concat $allowed $names -}}
{{- end -}}
{{- if not (has "node" $allowed) -}}
{{- $problems = append $problems "config.policy.profiles: must list the namespaces whose pods may use profile node, because node.enabled is true and all pods of a node share its daemon; such as {\"ci-*\": [default, node]}, or {\"*\": [default, node]} for all namespaces" -}}
{{- end -}}
{{- end -}}
{{- range $pattern, $allowed := dig "policy" "profiles" dict $config -}}
{{- range $allowed -}}
{{- if not (has . $names) -}}
{{- $problems = append $problems (printf "config.policy.profiles.%s: unknown profile %q (available: %s)" $pattern . $known) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $name, $profile := $profiles -}}
{{- if and (eq (toString $profile.isolation) "runtimeClass") (not $profile.runtimeClassName) -}}
{{- $problems = append $problems (printf "config.profiles.%s.runtimeClassName: required if isolation is runtimeClass (such as sysbox or kata)" $name) -}}
{{- end -}}
{{- $mayChoose := has "containers" (dig "policy" "annotations" (list "containers") $config) -}}
{{- if and $profile.registryCredentials (not (dig "registryCredentials" "containers" list $profile)) (not $mayChoose) -}}
{{- $problems = append $problems (printf "config.profiles.%s.registryCredentials.containers: required if config.policy.annotations does not contain containers (such as [build])" $name) -}}
{{- end -}}
{{- end -}}
{{- $problems | toJson -}}
{{- end -}}

{{- define "dind-webhook.userNamespaceProblems" -}}
{{- $problems := list -}}
{{- $label := "dind.io/user-namespaces" -}}
{{- with .Values.userNamespaces -}}
{{- if and .nodeCheck.enabled (hasKey .nodeCheck.nodeSelector $label) -}}
{{- $problems = append $problems (printf "userNamespaces.nodeCheck.nodeSelector: cannot contain %s, which the check sets on the nodes that it selects; remove it" $label) -}}
{{- end -}}
{{- if and .nodeCheck.enabled (eq .runtimeClass.name (printf "%s-node-check" (include "dind-webhook.fullname" $))) -}}
{{- $problems = append $problems (printf "userNamespaces.runtimeClass.name: %q is the RuntimeClass of the check; set another name" .runtimeClass.name) -}}
{{- end -}}
{{- with get .runtimeClass.nodeSelector $label -}}
{{- if ne . "true" -}}
{{- $problems = append $problems (printf "userNamespaces.runtimeClass.nodeSelector.%s: no node has the value %q; accepted: \"true\"" $label .) -}}
{{- else if not $.Values.userNamespaces.nodeCheck.enabled -}}
{{- $problems = append $problems (printf "userNamespaces.runtimeClass.nodeSelector: no node has the label %s if userNamespaces.nodeCheck.enabled is false; set it to true, or select another label" $label) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $problems | toJson -}}
{{- end -}}

{{- define "dind-webhook.explainPageProblems" -}}
{{- $problems := list -}}
{{- with .Values.explainPage -}}
{{- if and .ingress.enabled (not .enabled) -}}
{{- $problems = append $problems "explainPage.ingress.enabled: has no effect if explainPage.enabled is false; set explainPage.enabled to true" -}}
{{- end -}}
{{- if and .ingress.enabled (not .ingress.host) -}}
{{- $problems = append $problems "explainPage.ingress.host: required if explainPage.ingress.enabled is true, such as docker.example.com" -}}
{{- end -}}
{{- if and .from (not $.Values.networkPolicy.enabled) -}}
{{- $problems = append $problems "explainPage.from: requires networkPolicy.enabled, because a NetworkPolicy keeps other peers out; set it to true or remove the peers" -}}
{{- end -}}
{{- end -}}
{{- $problems | toJson -}}
{{- end -}}
