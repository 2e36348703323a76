{{- /* What the schema cannot say. Each message has the value, what was expected, and what to do. */ -}}
{{- define "breakwater.checks" -}}
{{- $name := include "breakwater.fullname" . }}
{{- if and .Values.config .Values.configText }}
{{- fail "config and configText are both set, and only one can be the configuration. Remove one of them." }}
{{- end }}
{{- if not (or .Values.config .Values.configText) }}
{{- fail "config is missing. Put your breakwater.yaml under `config`, or add --set-file configText=breakwater.yaml. deploy/kubernetes/breakwater/examples has values to begin with." }}
{{- end }}
{{- $config := include "breakwater.config" . | fromYaml }}
{{- if hasKey $config "Error" }}
{{- fail (printf "configText is no YAML map (%s). Run `breakwater check --offline --config FILE`, which names the line." (get $config "Error")) }}
{{- end }}
{{- range $key := list "listen" "drain" }}
{{- if not (kindIs "map" (get $config $key | default dict)) }}
{{- fail (printf "config.%s is no map. Run `breakwater check --offline --config FILE`, which says what it may be." $key) }}
{{- end }}
{{- end }}
{{- range $key := list "peers" "aliases" }}
{{- if not (kindIs "slice" (get $config $key | default list)) }}
{{- fail (printf "config.%s is no list. Run `breakwater check --offline --config FILE`, which says what it may be." $key) }}
{{- end }}
{{- end }}
{{- include "breakwater.checkListen" (dict "config" $config "mode" .Values.mode) }}
{{- include "breakwater.checkFiles" (dict "config" $config "files" .Values.files) }}
{{- include "breakwater.checkPeers" (dict "config" $config "name" $name "values" .Values) }}
{{- include "breakwater.checkImage" (dict "config" $config "image" .Values.image) }}
{{- include "breakwater.checkMonitoring" (dict "config" $config "values" .Values "name" $name) }}
{{- with .Values.terminationGracePeriodSeconds }}
{{- $needed := include "breakwater.drainSeconds" $config }}
{{- if lt (int64 .) (int64 $needed) }}
{{- fail (printf "terminationGracePeriodSeconds: %d is shorter than a planned stop, and the kubelet would kill transfers. Expected at least %s s, drain.announce and drain.timeout together. Remove the value, which is then calculated, or make drain.timeout shorter." (int64 .) $needed) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "breakwater.checkListen" -}}
{{- $listen := .config.listen | default dict }}
{{- $onNode := eq .mode "daemonset" }}
{{- if not $onNode }}
{{- range $key, $default := dict "https" "0.0.0.0:443" "admin" "127.0.0.1:9443" }}
{{- $address := get $listen $key | default $default }}
{{- if include "breakwater.isLocal" $address }}
{{- fail (printf "config.listen.%s: %s is reached from inside of the pod only. Expected an address that others reach, for %s. Set 0.0.0.0:%s, or [::]:%s in a cluster with IPv6 only." $key $address (ternary "the probes of the kubelet" "the Service" (eq $key "admin")) (ternary "9443" "8443" (eq $key "admin")) (ternary "9443" "8443" (eq $key "admin"))) }}
{{- end }}
{{- end }}
{{- end }}
{{- range $key := list "https" "plain" "http" "admin" }}
{{- $address := get $listen $key | default (ternary "0.0.0.0:443" "" (eq $key "https")) }}
{{- $port := include "breakwater.port" (dict "address" $address "default" "8443") | int }}
{{- if lt $port 1024 }}
{{- fail (printf "config.listen.%s: port %d of %s is below 1024, and the pod runs as user 1000 without capabilities. Expected a port from 1024 on. Set 0.0.0.0:8443: clients come by service.port, which may be 443." $key $port $address) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "breakwater.checkFiles" -}}
{{- $files := .files }}
{{- range $line := include "breakwater.fileNames" (dict "value" .config "at" "config.") | splitList "\n" }}
{{- if trim $line }}
{{- $key := splitList " " $line | first }}
{{- $file := trimPrefix (printf "%s " $key) $line }}
{{- if not (hasKey $files $file) }}
{{- fail (printf "%s: %s is not in `files`, so no pod would have it. Expected a key of a Secret or ConfigMap under this name. Add: files: { %s: { secret: NAME, key: KEY } }" $key $file $file) }}
{{- end }}
{{- end }}
{{- end }}
{{- range $path, $source := $files }}
{{- if eq $path "breakwater.yaml" }}
{{- fail "files: breakwater.yaml is the configuration itself, which the chart writes. Use `config` or `configText` for it." }}
{{- end }}
{{- end }}
{{- end }}

{{- define "breakwater.checkPeers" -}}
{{- $config := .config }}
{{- $peers := printf "https://%s-peers:%s" .name (include "breakwater.port" (dict "address" ($config.listen | default dict).https "default" "8443")) }}
{{- if eq .values.mode "daemonset" }}
{{- if $config.peers }}
{{- fail "config.peers: the mirror of a node stands alone, and must not wait for those of other nodes. Remove `peers`, or set mode: deployment." }}
{{- end }}
{{- else if gt (int .values.replicas) 1 }}
{{- if not $config.keyFile }}
{{- fail "config.keyFile is missing, and each pod would make a secret of its own: uploads and logins would break at each change of the pod. Expected one Secret for all. Add keyFile: edge.key, files: { edge.key: { secret: breakwater-edge, key: edge.key } }, and run: head -c 48 /dev/urandom | base64 >edge.key; kubectl create secret generic breakwater-edge --from-file edge.key" }}
{{- end }}
{{- if not (has $peers ($config.peers | default list)) }}
{{- fail (printf "config.peers does not name the other pods, so that one would not know what another one was told. Expected the headless Service of this release. Add peers: [%s], or set replicas: 1." $peers) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "breakwater.checkImage" -}}
{{- if eq .image.pullPolicy "Always" }}
{{- fail "image.pullPolicy: Always asks a registry at each start of a pod, also while every registry is down. Expected IfNotPresent or Never. Give each version a tag of its own." }}
{{- end }}
{{- $host := splitList "/" .image.repository | first }}
{{- range $own := prepend (.config.aliases | default list) .config.hostname }}
{{- if and $own (eq (regexReplaceAll ":[0-9]+$" $host "") $own) (ne $.image.pullPolicy "Never") }}
{{- fail (printf "image.repository: %s comes through the edge itself, so that no pod could start while none runs. Expected a name that needs no edge. Name it as it is called on the fallback, or preload it on every node and set image.pullPolicy: Never." $.image.repository) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "breakwater.checkMonitoring" -}}
{{- if .values.serviceMonitor.enabled }}
{{- if eq .values.mode "daemonset" }}
{{- fail "serviceMonitor.enabled: Prometheus does not reach the admin listener of a node's mirror, which is for the node only. Expected false with mode: daemonset. Scrape it with an agent on the node." }}
{{- end }}
{{- if not (contains "breakwater" .name) }}
{{- fail (printf "fullnameOverride: %s is the name of the job in Prometheus, and the alert rules look for breakwater in it. Expected a name with breakwater, such as breakwater-%s." .name .name) }}
{{- end }}
{{- $token := .config.metricsTokenFile }}
{{- if not $token }}
{{- fail "serviceMonitor.enabled: config.metricsTokenFile is missing, and Prometheus would get 403. Expected a token that opens the metrics and nothing else. Add metricsTokenFile: metrics.token, and metrics.token to `files`." }}
{{- end }}
{{- if not (get (get .values.files $token | default dict) "secret") }}
{{- fail (printf "serviceMonitor.enabled: config.metricsTokenFile %s is in no Secret, so that Prometheus cannot read it. Expected files: { %s: { secret: NAME, key: KEY } }." $token $token) }}
{{- end }}
{{- end }}
{{- end }}
