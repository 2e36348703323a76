import { entryAt, itemsAt, type Located, textAt, textsAt } from '../document.ts';
import { parseJson } from '../parse-json.ts';
import { isPublic, quoted, registryOfImage } from '../registry-name.ts';
import type { Hit, ParsedFile, Rule } from '../rule.ts';
import { gitlabRunner } from './sources.ts';

const COMMON: Pick<Rule, 'program' | 'kinds'> = { program: 'gitlab-runner', kinds: ['gitlab-runner'] };
const ADVANCED = 'docs/configuration/advanced-configuration.md';
const VARIABLE = /^DOCKER_AUTH_CONFIG=/;

function runners(file: ParsedFile): Located[] {
  return itemsAt(file.documents[0], 'runners');
}

/** `docker` or `kubernetes` of each runner. */
function executors(file: ParsedFile): Located[] {
  return runners(file).flatMap((runner) =>
    ['docker', 'kubernetes'].flatMap((name) => entryAt(runner, name)?.value ?? []),
  );
}

/** The JSON of DOCKER_AUTH_CONFIG in `environment` of each runner. */
export function authVariables(file: ParsedFile): { text: string; line: number }[] {
  return runners(file)
    .flatMap((runner) => textsAt(runner, 'environment'))
    .filter(({ text }) => VARIABLE.test(text))
    .map(({ text, line }) => ({ text: text.replace(VARIABLE, ''), line }));
}

function policyHits(file: ParsedFile, policy: string): Hit[] {
  return executors(file).flatMap((executor) =>
    textsAt(executor, 'pull_policy')
      .filter(({ text }) => text === policy)
      .map(({ line }) => ({ line })),
  );
}

/** `docker:28-dind` and its like. */
function isDockerInDocker(image: string): boolean {
  const name = image.slice(image.lastIndexOf('/') + 1);
  return name.startsWith('docker:') && name.endsWith('dind');
}

function parses(text: string): boolean {
  try {
    return parseJson(text).kind === 'map';
  } catch {
    return false;
  }
}

/** config.toml of GitLab Runner. */
export const GITLAB_RUNNER_RULES: Rule[] = [
  {
    ...COMMON,
    name: 'gitlab-auth-broken',
    effect: 'credentials',
    key: 'runners.environment',
    happens: 'DOCKER_AUTH_CONFIG is no JSON. The runner logs a warning, and uses none of its credentials.',
    remedy: `Write it in single quotes: environment = ['DOCKER_AUTH_CONFIG={"auths": …}'].`,
    source: gitlabRunner('helpers/docker/auth/auth.go, AllConfigs'),
    find: (file) =>
      authVariables(file)
        .filter(({ text }) => !parses(text))
        .map(({ line }) => ({ line })),
  },
  {
    ...COMMON,
    name: 'gitlab-helper-image',
    effect: 'leak',
    key: 'runners.docker.helper_image',
    happens:
      'Without helper_image, the runner pulls its helper image from registry.gitlab.com. No job starts without it.',
    remedy:
      'Write helper_image = "EDGE/…/gitlab-runner-helper:TAG", with the tag that the runner names in the log of a job.',
    source: gitlabRunner(`${ADVANCED}, Helper image`),
    find: (file) =>
      executors(file).flatMap((executor) => {
        const image = textAt(executor, 'helper_image');
        if (image !== undefined && !isPublic(registryOfImage(image))) return [];
        return [{ line: entryAt(executor, 'helper_image')?.line ?? executor.line }];
      }),
  },
  {
    ...COMMON,
    name: 'gitlab-pull-policy-never',
    effect: 'bypass',
    key: 'runners.docker.pull_policy',
    happens: 'The runner pulls nothing. Jobs run with old images, or fail if an image is not on the host.',
    remedy: 'Write pull_policy = "always". Through the edge, it works during an outage too.',
    source: gitlabRunner('docs/executors/docker.md, pull policies'),
    find: (file) => policyHits(file, 'never'),
  },
  {
    ...COMMON,
    name: 'gitlab-pull-policy-present',
    effect: 'credentials',
    key: 'runners.docker.pull_policy',
    happens: 'A job may use every private image that another job has pulled to this host, without credentials.',
    remedy: 'Write pull_policy = "always". Through the edge, it works during an outage too.',
    source: gitlabRunner('docs/security/_index.md'),
    find: (file) => policyHits(file, 'if-not-present'),
  },
  {
    ...COMMON,
    name: 'gitlab-dind-mirror',
    effect: 'leak',
    key: 'runners.docker.services',
    happens: 'The dockerd of this service does not read daemon.json of the host. It pulls from Docker Hub itself.',
    remedy: 'Write command = ["--registry-mirror", "https://EDGE"] for the service.',
    source: gitlabRunner('docs/configuration/advanced-configuration.md, services'),
    find: (file) =>
      executors(file)
        .flatMap((executor) => itemsAt(executor, 'services'))
        .filter((service) => isDockerInDocker(textAt(service, 'name') ?? ''))
        .filter((service) => !textsAt(service, 'command').some(({ text }) => /registry-mirror/.test(text)))
        .map((service) => ({ line: service.line, subject: `service ${quoted(textAt(service, 'name') ?? '')}` })),
  },
];
