import type { KeyFinding, KeyPath } from './key-path.ts';
import { nearest } from './nearest.ts';
import type { Config } from './schema.ts';

/** Names of upstreams that do not exist. */
export function unknownUpstreams(config: Config): KeyFinding[] {
  const names = Object.keys(config.upstreams);
  const uses: { path: KeyPath; name: string | undefined }[] = [
    { path: ['passthrough'], name: config.passthrough },
    ...config.routes.flatMap((route, index) => [
      { path: ['routes', index, 'push'], name: route.push },
      ...route.pull.map((entry, position) => ({
        path: ['routes', index, 'pull', position, 'upstream'],
        name: entry.upstream,
      })),
    ]),
  ];
  return uses.flatMap(({ path, name }) =>
    name === undefined || names.includes(name) ? [] : [{ path, message: messageOf(name, names) }],
  );
}

function messageOf(name: string, names: readonly string[]): string {
  const near = nearest(name, names);
  const hint = near === undefined ? '' : `; did you mean "${near}"?`;
  return `no upstream is called "${name}"; there are ${names.join(', ') || 'none'}${hint}`;
}
