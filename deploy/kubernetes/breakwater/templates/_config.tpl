{{- /* breakwater.yaml, as the edge gets it. A text stays as it is; a map gets the addresses that fit a pod. */ -}}
{{- define "breakwater.config" -}}
{{- if .Values.configText }}
{{- .Values.configText }}
{{- else }}
{{- $config := deepCopy (.Values.config | default dict) }}
{{- $listen := get $config "listen" | default dict }}
{{- if eq .Values.mode "daemonset" }}
{{- $listen = merge $listen (dict "https" "127.0.0.1:8443" "plain" "127.0.0.1:5000" "admin" "127.0.0.1:9443") }}
{{- else }}
{{- $listen = merge $listen (dict "https" "0.0.0.0:8443" "admin" "0.0.0.0:9443") }}
{{- if not (hasKey $config "peers") }}
{{- $port := include "breakwater.port" (dict "address" $listen.https "default" "8443") }}
{{- $config = set $config "peers" (list (printf "https://%s-peers:%s" (include "breakwater.fullname" .) $port)) }}
{{- end }}
{{- end }}
{{- set $config "listen" $listen | toYaml }}
{{- end }}
{{- end }}

{{- /* The port of an address such as 0.0.0.0:8443. */ -}}
{{- define "breakwater.port" -}}
{{- regexFind "[0-9]+$" (.address | default "" | toString) | default .default }}
{{- end }}

{{- /* Whether only the node itself reaches an address. */ -}}
{{- define "breakwater.isLocal" -}}
{{- if regexMatch "^(127\\.|localhost:|\\[::1\\]|unix:)" (.) }}true{{ end }}
{{- end }}

{{- /* Whole seconds of a duration such as 500ms, 5s or 1.5m, rounded up. */ -}}
{{- define "breakwater.seconds" -}}
{{- /* What is no duration is refused by the edge. */ -}}
{{- if regexMatch "^[0-9]+(\\.[0-9]+)?(ms|s|m|h|d)$" (toString .) }}
{{- $unit := regexFind "[a-z]+$" . }}
{{- mulf (trimSuffix $unit . | float64) (get (dict "ms" 0.001 "s" 1.0 "m" 60.0 "h" 3600.0 "d" 86400.0) $unit) | ceil | int64 }}
{{- else }}0{{ end }}
{{- end }}

{{- /* How long a planned stop takes at most, in seconds. */ -}}
{{- define "breakwater.drainSeconds" -}}
{{- $drain := .drain | default dict }}
{{- $announce := include "breakwater.seconds" ($drain.announce | default "5s") }}
{{- $timeout := include "breakwater.seconds" ($drain.timeout | default "5m") }}
{{- add (int64 $announce) (int64 $timeout) }}
{{- end }}

{{- define "breakwater.gracePeriod" -}}
{{- .Values.terminationGracePeriodSeconds | default (add 15 (int64 (include "breakwater.drainSeconds" (include "breakwater.config" . | fromYaml)))) }}
{{- end }}

{{- /* The keys of a configuration whose values are relative names of files, as lines "key name". */ -}}
{{- define "breakwater.fileNames" -}}
{{- $at := .at }}
{{- if kindIs "map" .value }}
{{- range $key, $value := .value }}
{{- /* The edge writes drain.leaveFile itself. */ -}}
{{- if and (kindIs "string" $value) (hasSuffix "File" $key) (ne "leaveFile" $key) (not (isAbs $value)) }}
{{ printf "%s%s %s" $at $key $value }}
{{- else }}
{{- include "breakwater.fileNames" (dict "value" $value "at" (printf "%s%s." $at $key)) }}
{{- end }}
{{- end }}
{{- else if kindIs "slice" .value }}
{{- range $index, $value := .value }}
{{- include "breakwater.fileNames" (dict "value" $value "at" (printf "%s[%d]." (trimSuffix "." $at) $index)) }}
{{- end }}
{{- end }}
{{- end }}
