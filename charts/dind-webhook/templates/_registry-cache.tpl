{{/* The upstreams with their defaults, as a JSON object: HOST -> name, url, port, credentialsSecret,
allowedNamespaces, profiles. */}}
{{- define "dind-webhook.registryCaches" -}}
{{- $caches := dict -}}
{{- if .Values.registryCache.enabled -}}
{{- range $host, $upstream := .Values.registryCache.upstreams -}}
{{- $url := $upstream.url | default (eq $host "docker.io" | ternary "https://registry-1.docker.io" (printf "https://%s" $host)) -}}
{{- $port := regexFind ":[0-9]+$" $url | trimPrefix ":" | default (hasPrefix "https:" $url | ternary "443" "80") -}}
{{- $slug := regexReplaceAll "[.:]" $host "-" -}}
{{- $name := printf "%s-cache-%s" (include "dind-webhook.fullname" $) $slug -}}
{{- if gt (len $name) 63 -}}
{{- $name = printf "%s-%s" (trunc 54 $name | trimSuffix "-") (sha256sum $host | trunc 8) -}}
{{- end -}}
{{- $_ := set $caches $host (merge (dict "name" $name "url" $url "port" (int $port)) $upstream) -}}
{{- end -}}
{{- end -}}
{{- $caches | toJson -}}
{{- end -}}

{{/* Labels that select the pods of one cache. Takes (list $ NAME). */}}
{{- define "dind-webhook.registryCacheSelector" -}}
{{ include "dind-webhook.selector" (list (index . 0) "registry-cache") }}
dind.io/registry-cache: {{ index . 1 }}
{{- end -}}

{{/* Metadata of an object of one cache. Takes (list $ NAME). */}}
{{- define "dind-webhook.registryCacheMetadata" -}}
{{- $root := index . 0 -}}
{{- $suffix := trimPrefix (include "dind-webhook.fullname" $root) (index . 1) -}}
{{- include "dind-webhook.metadata" (list $root "registry-cache" $suffix) -}}
{{- end -}}

{{/* Whether a profile can use the cache of a registry: `true`, or empty. A daemon of the node is not configured by
profiles. Mirrors of a profile stay as they are, and credentials are not sent without TLS. Takes
(list PROFILE HOST). */}}
{{- define "dind-webhook.canUseCache" -}}
{{- $profile := index . 0 | default dict -}}
{{- $own := dig "registries" (index . 1) dict $profile -}}
{{- if and (ne (toString $profile.mode) "node") (not (hasKey $own "mirrors")) (not $own.authSecret) -}}
true
{{- end -}}
{{- end -}}

{{/* Adds the caches as mirrors to the profiles of the configuration file. Takes (list $ CONFIG), and changes
CONFIG. */}}
{{- define "dind-webhook.useRegistryCaches" -}}
{{- $root := index . 0 -}}
{{- $config := index . 1 -}}
{{- with include "dind-webhook.registryCaches" $root | fromJson -}}
{{- $profiles := $config.profiles | default dict -}}
{{- if and (eq ($config.defaultProfile | default "default") "default") (not (hasKey $profiles "default")) -}}
{{- $_ := set $profiles "default" dict -}}
{{- end -}}
{{- range $host, $cache := . -}}
{{- $mirror := dict "url" (printf "http://%s.%s.svc:5000" $cache.name $root.Release.Namespace) -}}
{{- range $name, $profile := $profiles -}}
{{- if and (has $name ($cache.profiles | default (list $name))) (include "dind-webhook.canUseCache" (list $profile $host)) -}}
{{- $entry := dict $host (dict "mirrors" (list $mirror)) -}}
{{- $_ := set $profiles $name (mergeOverwrite (dict) ($profile | default dict) (dict "registries" (mergeOverwrite (dict) (dig "registries" dict ($profile | default dict)) $entry))) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $_ := set $config "profiles" $profiles -}}
{{- end -}}
{{- end -}}

{{/* What contradicts itself in registryCache, a JSON list of sentences. Takes $. */}}
{{- define "dind-webhook.registryCacheProblems" -}}
{{- $problems := list -}}
{{- $values := .Values.registryCache -}}
{{- $config := include "dind-webhook.config" . | fromYaml -}}
{{- $profiles := $config.profiles | default dict -}}
{{- $policy := dig "policy" "profiles" dict $config -}}
{{- $names := dict -}}
{{- if and $values.enabled (not $values.upstreams) -}}
{{- $problems = append $problems "registryCache.upstreams: required if registryCache.enabled is true, such as {docker.io: {}}" -}}
{{- end -}}
{{- if and $values.storage.persistent (gt (int $values.replicaCount) 1) -}}
{{- $problems = append $problems (printf "registryCache.replicaCount: %d pods cannot share the PVC of a cache; set it to 1, or registryCache.storage.persistent to false" (int $values.replicaCount)) -}}
{{- end -}}
{{- if and $values.storage.storageClassName (not $values.storage.persistent) -}}
{{- $problems = append $problems "registryCache.storage.storageClassName: has no effect if registryCache.storage.persistent is false; remove it or set persistent to true" -}}
{{- end -}}
{{- if and $values.caCertificates (not (contains "-----BEGIN CERTIFICATE-----" $values.caCertificates)) -}}
{{- $problems = append $problems "registryCache.caCertificates: contains no certificate in PEM (-----BEGIN CERTIFICATE-----)" -}}
{{- end -}}
{{- if contains "PRIVATE KEY-----" $values.caCertificates -}}
{{- $problems = append $problems "registryCache.caCertificates: contains a private key; accepted: certificates only" -}}
{{- end -}}
{{- range $host, $cache := include "dind-webhook.registryCaches" . | fromJson -}}
{{- $path := printf "registryCache.upstreams.%s" $host -}}
{{- if or (has (regexReplaceAll ":[0-9]+$" $host "") (list "hub.docker.com" "index.docker.io" "registry-1.docker.io")) (hasPrefix "docker.io:" $host) -}}
{{- $problems = append $problems (printf "%s: is Docker Hub, whose name in image names is docker.io; write docker.io" $path) -}}
{{- end -}}
{{- $port := max (int $cache.port) (regexFind ":[0-9]+$" $host | trimPrefix ":" | int) -}}
{{- if gt $port 65535 -}}
{{- $problems = append $problems (printf "%s: %d is not a port (accepted: 1 to 65535)" $path $port) -}}
{{- end -}}
{{- with get $names $cache.name -}}
{{- $problems = append $problems (printf "%s: its objects would have the same name as those of %s (%s); remove one of them" $path . $cache.name) -}}
{{- end -}}
{{- $_ := set $names $cache.name $host -}}
{{- range $name := $cache.profiles -}}
{{- if not (hasKey $profiles $name) -}}
{{- $problems = append $problems (printf "%s.profiles: unknown profile %q (available: %s)" $path $name (keys $profiles | sortAlpha | join ", ")) -}}
{{- else if not (include "dind-webhook.canUseCache" (list (merge (dict "mode" (get $profiles $name).mode) (dig "profiles" $name dict $.Values.config)) $host)) -}}
{{- $problems = append $problems (printf "%s.profiles: profile %q has mode node, or mirrors or an authSecret of its own for %s, so it does not use the cache; remove it from the list, or these keys from the profile" $path $name $host) -}}
{{- end -}}
{{- end -}}
{{- if $cache.credentialsSecret -}}
{{- if hasPrefix "http:" $cache.url -}}
{{- $problems = append $problems (printf "%s.url: the credentials would be sent without TLS; accepted with credentialsSecret: https://" $path) -}}
{{- end -}}
{{- if not $cache.allowedNamespaces -}}
{{- $problems = append $problems (printf "%s.allowedNamespaces: required with credentialsSecret, because the cache serves private images to all pods that can connect" $path) -}}
{{- end -}}
{{- end -}}
{{- if $cache.allowedNamespaces -}}
{{- if not $.Values.networkPolicy.enabled -}}
{{- $problems = append $problems (printf "%s.allowedNamespaces: requires networkPolicy.enabled, because a NetworkPolicy keeps pods of other namespaces out" $path) -}}
{{- end -}}
{{- if not $cache.profiles -}}
{{- $problems = append $problems (printf "%s.profiles: required with allowedNamespaces; list the profiles that use the cache, and allow each of them in no other namespace (config.policy.profiles)" $path) -}}
{{- end -}}
{{- range $name := $cache.profiles -}}
{{- $others := list -}}
{{- range $pattern, $allowed := $policy -}}
{{- if and (has $name $allowed) (not (has $pattern $cache.allowedNamespaces)) -}}
{{- $others = append $others $pattern -}}
{{- end -}}
{{- end -}}
{{- if not $policy -}}
{{- $problems = append $problems (printf "config.policy.profiles: empty, so pods of all namespaces may use profile %q, but the cache of %s accepts pods of %s only; allow the profile in these namespaces only" $name $host (join ", " $cache.allowedNamespaces)) -}}
{{- else if $others -}}
{{- $problems = append $problems (printf "config.policy.profiles: pods of %s may use profile %q, but the cache of %s accepts pods of %s only; remove the profile there, or add the namespaces to %s.allowedNamespaces (names, not patterns)" (join ", " $others) $name $host (join ", " $cache.allowedNamespaces) $path) -}}
{{- else if and (eq $name ($config.defaultProfile | default "default")) (not (hasKey $policy "*")) -}}
{{- $problems = append $problems (printf "%s.profiles: %q is the default profile, which pods of namespaces without a pattern in config.policy.profiles may use; use another profile, or add the pattern \"*\" without this profile" $path $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $problems | toJson -}}
{{- end -}}
