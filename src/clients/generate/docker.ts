import { certificateFile, type Generated, type GeneratedFile, type Request } from './generated.ts';

const HUB = 'docker.io';

/**
 * dockerd. Keys: https://docs.docker.com/reference/cli/dockerd/ and https://docs.docker.com/engine/security/certificates/ (2026-11-30).
 */
export function dockerFiles({ site }: Request): Generated {
  const { host, ca, mirrors, fallback } = site;
  const hub = mirrors.find(({ registry }) => registry === HUB);
  const others = mirrors.filter(({ registry }) => registry !== HUB).map(({ registry }) => registry);
  const isMirror = hub !== undefined && hub.prefix === '';
  const files: GeneratedFile[] = [
    ...certificateFile('docker', host, `/etc/docker/certs.d/${host}/ca.crt`, ca),
    ...(isMirror ? [daemonPart('/etc/docker/daemon.json', host)] : []),
  ];
  return {
    files,
    notes: [
      ...(others.length > 0
        ? [
            `dockerd has mirrors for ${HUB} only (registry-mirrors): images of ${others.join(', ')} do not come through the edge. Name them as ${host}/… instead.`,
          ]
        : []),
      ...(hub && !isMirror
        ? [
            `dockerd puts no prefix before a name, so it cannot use ${host}/${hub.prefix} as a mirror. Name these images as ${host}/${hub.prefix}…, or let a route of the edge serve the names of ${HUB} as they are.`,
          ]
        : []),
      ...(isMirror
        ? [
            `dockerd does not say that an image is of ${HUB} (no ?ns=): the routes of the edge without \`registry:\` answer, for names such as library/alpine.`,
            `If a mirror fails, dockerd asks ${HUB} itself. It cannot be told not to.`,
            'dockerd does not start if registry-mirrors is in daemon.json and also on its command line.',
            'Reload dockerd with SIGHUP (systemctl reload docker) when daemon.json has changed.',
          ]
        : []),
      ...(ca === undefined ? [] : ['dockerd reads certs.d anew at each pull. It needs no restart.']),
      ...(fallback
        ? [
            `dockerd has no second host for ${host}: --with-fallback changes nothing. While no edge answers, images must be named as ${fallback.host}/….`,
          ]
        : []),
    ],
  };
}

/** The part of dockerd's configuration that makes the edge a mirror of Docker Hub. */
export function daemonPart(path: string, host: string): GeneratedFile {
  const edit = { path: ['registry-mirrors'], value: `https://${host}`, how: 'first' } as const;
  return { path, content: { format: 'json', comment: [], edits: [edit] } };
}
