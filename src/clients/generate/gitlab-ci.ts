import { daemonPart, dockerFiles } from './docker.ts';
import { loginOf, loginPattern } from './docker-login.ts';
import type { Edit, Generated, GeneratedFile, Request } from './generated.ts';
import { headerOf } from './generated.ts';

const RUNNER = '/etc/gitlab-runner/config.toml';
const FOLDER = '/etc/gitlab-runner/breakwater';

/**
 * A runner of GitLab CI with the Docker executor: the daemon that pulls the images of jobs, and Docker-in-Docker. Keys:
 * https://docs.gitlab.com/runner/configuration/advanced-configuration/ and https://docs.gitlab.com/ci/docker/using_docker_build/ (2026-11-30).
 */
export function gitlabFiles(request: Request): Generated {
  const { site } = request;
  const login = loginOf(site);
  const docker = dockerFiles(request);
  const isMirror = docker.files.some(({ content }) => typeof content !== 'string');
  const edits: Edit[] = [
    ...(login === undefined ? [] : [runner(['environment'], `DOCKER_AUTH_CONFIG=${login}`, 'variable')]),
    ...(site.ca === undefined ? [] : [volume(`/etc/docker/certs.d/${site.host}`, `/etc/docker/certs.d/${site.host}`)]),
    ...(isMirror ? [volume(`${FOLDER}/daemon.json`, '/etc/docker/daemon.json')] : []),
  ];
  const secret = login === undefined ? {} : { secret: true as const };
  const files: GeneratedFile[] = [
    ...docker.files,
    ...(isMirror ? [daemonPart(`${FOLDER}/daemon.json`, site.host)] : []),
    ...(login === undefined
      ? []
      : [
          {
            path: `${FOLDER}/DOCKER_AUTH_CONFIG`,
            secret: true as const,
            ownLine: loginPattern(site.host),
            content: login,
          },
        ]),
    ...(edits.length === 0
      ? []
      : [
          {
            path: RUNNER,
            ...secret,
            content: { format: 'toml' as const, comment: [headerOf('gitlab-ci', site.host)], edits },
          },
        ]),
  ];
  return {
    files,
    notes: [
      ...docker.notes,
      ...(login === undefined
        ? ['Without --user and --password-file, no DOCKER_AUTH_CONFIG is written: jobs pull without credentials.']
        : [
            `${FOLDER}/DOCKER_AUTH_CONFIG holds the value of a CI/CD variable of that name, for projects whose runners you do not own. It is a secret: mask it.`,
            'DOCKER_AUTH_CONFIG is seen by every job of the runner. Give a user that may only pull.',
          ]),
      'Docker-in-Docker (docker:dind) reads daemon.json and certs.d by the volumes of the runner. The runner reads config.toml anew by itself.',
    ],
  };
}

function runner(path: string[], value: string, how: Edit['how']): Edit {
  return { path: ['runners', '*', ...path], value, how };
}

function volume(from: string, to: string): Edit {
  return runner(['docker', 'volumes'], `${from}:${to}:ro`, 'last');
}
