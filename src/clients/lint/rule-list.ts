import type { Rule } from './rule.ts';
import { BUILDKIT_RULES } from './rules/buildkit.ts';
import { CERTIFICATE_RULES } from './rules/certificates.ts';
import { CONTAINERD_CONFIG_RULES } from './rules/containerd-config.ts';
import { CONTAINERD_HOSTS_RULES } from './rules/containerd-hosts.ts';
import { DOCKER_AUTH_RULES } from './rules/docker-auth.ts';
import { DOCKER_DAEMON_RULES } from './rules/docker-daemon.ts';
import { GITLAB_RUNNER_RULES } from './rules/gitlab-runner.ts';
import { K3S_RULES } from './rules/k3s.ts';
import { KUBERNETES_RULES } from './rules/kubernetes.ts';
import { POLICY_AND_CRIO_RULES } from './rules/policy-crio.ts';
import { REGISTRIES_CONF_RULES } from './rules/registries-conf.ts';
import { REGISTRIES_FORM_RULES } from './rules/registries-form.ts';

/** Every rule, in the order of the documentation. */
export const LINT_RULES: readonly Rule[] = [
  ...DOCKER_DAEMON_RULES,
  ...CERTIFICATE_RULES,
  ...DOCKER_AUTH_RULES,
  ...CONTAINERD_CONFIG_RULES,
  ...CONTAINERD_HOSTS_RULES,
  ...K3S_RULES,
  ...REGISTRIES_CONF_RULES,
  ...REGISTRIES_FORM_RULES,
  ...POLICY_AND_CRIO_RULES,
  ...BUILDKIT_RULES,
  ...GITLAB_RUNNER_RULES,
  ...KUBERNETES_RULES,
];
