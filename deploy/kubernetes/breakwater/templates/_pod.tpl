{{- define "breakwater.pod" -}}
{{- $config := include "breakwater.config" . | fromYaml }}
{{- $listen := $config.listen | default dict }}
{{- $onNode := eq .Values.mode "daemonset" }}
metadata:
  labels:
    {{- include "breakwater.labels" . | nindent 4 }}
    {{- with .Values.podLabels }}{{ toYaml . | nindent 4 }}{{ end }}
  annotations:
    # The edge reloads a changed configuration by itself. These keys are read at the start only, so a change of them makes new pods.
    {{- $acme := kindIs "map" $config.tls | ternary (get ($config.tls | default dict) "acme") "" }}
    breakwater/restart: {{ pick $config "listen" "ledger" "manifests" "log" | set (dict "acme" $acme) "keys" | toJson | sha256sum | trunc 16 }}
    {{- with .Values.podAnnotations }}{{ toYaml . | nindent 4 }}{{ end }}
spec:
  serviceAccountName: {{ include "breakwater.serviceAccountName" . }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- if $onNode }}
  hostNetwork: true
  # The resolver of the node, so that the mirror does not need the cluster to pull what the cluster needs.
  dnsPolicy: Default
  {{- end }}
  {{- with .Values.image.pullSecrets }}
  imagePullSecrets: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.priorityClassName | default (ternary "system-node-critical" "" $onNode) }}
  priorityClassName: {{ . }}
  {{- end }}
  terminationGracePeriodSeconds: {{ include "breakwater.gracePeriod" . }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 1000
    runAsGroup: 1000
    fsGroup: 1000
    seccompProfile: { type: RuntimeDefault }
  containers:
    - name: breakwater
      image: {{ include "breakwater.image" . }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      env:
        - { name: BREAKWATER_CONFIG, value: /etc/breakwater/breakwater.yaml }
        {{- with .Values.env }}{{ toYaml . | nindent 8 }}{{ end }}
      ports:
        {{- range $name, $default := dict "https" "8443" "plain" "" "http" "" "admin" "9443" }}
        {{- $address := get $listen $name | default "" }}
        {{- if and (or $address $default) (not (hasPrefix "unix:" $address)) }}
        - { name: {{ $name }}, containerPort: {{ include "breakwater.port" (dict "address" $address "default" $default) }} }
        {{- end }}
        {{- end }}
      # /readyz never fails because an upstream is down: during an outage every pod goes on.
      startupProbe:
        httpGet: &healthy { path: /healthz, port: admin{{ if $onNode }}, host: 127.0.0.1{{ end }} }
        periodSeconds: 1
        timeoutSeconds: 3
        failureThreshold: 60
      livenessProbe:
        httpGet: *healthy
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 3
      readinessProbe:
        httpGet: { path: /readyz, port: admin{{ if $onNode }}, host: 127.0.0.1{{ end }} }
        periodSeconds: 2
        timeoutSeconds: 2
        failureThreshold: 2
      resources: {{- toYaml .Values.resources | nindent 8 }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: { drop: [ALL] }
      volumeMounts:
        - { name: configuration, mountPath: /etc/breakwater, readOnly: true }
        {{- with .Values.volumeMounts }}{{ toYaml . | nindent 8 }}{{ end }}
  volumes:
    # One volume for all, so that the kubelet swaps a configuration and its files in one step.
    - name: configuration
      projected:
        defaultMode: 0440
        sources:
          - configMap:
              name: {{ include "breakwater.fullname" . }}
              items: [{ key: breakwater.yaml, path: breakwater.yaml }]
          {{- range $path, $source := .Values.files }}
          - {{ ternary "secret" "configMap" (hasKey $source "secret") }}:
              name: {{ $source.secret | default $source.configMap }}
              items: [{ key: {{ $source.key | quote }}, path: {{ $path | quote }} }]
          {{- end }}
    {{- with .Values.volumes }}{{ toYaml . | nindent 4 }}{{ end }}
  {{- with .Values.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if kindIs "slice" .Values.tolerations }}
  tolerations: {{- toYaml .Values.tolerations | nindent 4 }}
  {{- else if $onNode }}
  # Every node pulls images, also one that is not ready yet.
  tolerations: [{ operator: Exists }]
  {{- end }}
{{- end }}
