import { entryAt, isTrue, type Located, textAt, textsAt } from '../document.ts';
import { hostOf, isBehindEdge, isEdge, isLoopback, mayBeEdge, pathOf, quoted } from '../registry-name.ts';
import type { Hit, Rule } from '../rule.ts';
import { HOST_KEYS, type HostTable, hostsFile, isDuration } from './hosts-file.ts';
import { containerd20, containerd21, containerd24 } from './sources.ts';

const HOSTS = 'core/remotes/docker/config/hosts.go';
const COMMON: Pick<Rule, 'program' | 'alsoIn' | 'kinds'> = {
  program: 'containerd',
  alsoIn: ['microk8s'],
  kinds: ['containerd-hosts'],
};

function hit({ url, line }: HostTable): Hit {
  return { line, subject: `host ${quoted(url)}` };
}

function capabilities(table: Located): { text: string; line: number }[] {
  return textsAt(table, 'capabilities');
}

/** What a hosts.toml says that containerd reads in another way than it was meant, or not at all. */
export const CONTAINERD_HOSTS_RULES: Rule[] = [
  {
    ...COMMON,
    name: 'containerd-hosts-inline',
    effect: 'bypass',
    versions: { from: '2.0' },
    key: 'host',
    happens: 'containerd reads only hosts that have a header of their own. It leaves this one out without a word.',
    remedy: 'Write a header: [host."https://…"].',
    source: containerd24(`${HOSTS}, getSortedHosts`, 'containerd 2.4.2 asks only the server'),
    find: (file) =>
      hostsFile(file)
        .hosts.filter(({ hasHeader }) => !hasHeader)
        .map(hit),
  },
  {
    ...COMMON,
    name: 'containerd-hosts-server-in-host',
    effect: 'leak',
    key: 'host.*.server',
    happens:
      'In TOML, a key after a [host] header belongs to that host. containerd ignores it there, and uses the registry itself as server.',
    remedy: 'Move the line server = … to the top of the file, before the first header.',
    source: containerd24(`${HOSTS}, hostFileConfig`, 'containerd 2.4.2 asks registry-1.docker.io last'),
    find: (file) =>
      hostsFile(file).hosts.flatMap(({ url, table }) => {
        const entry = entryAt(table, 'server');
        return entry ? [{ line: entry.line, subject: `host ${quoted(url)}` }] : [];
      }),
  },
  {
    ...COMMON,
    name: 'containerd-hosts-unknown-key',
    effect: 'broken',
    key: 'any',
    happens: 'containerd ignores a key that it does not know, without a word.',
    remedy: `Use the keys of containerd: ${[...HOST_KEYS].filter((key) => key !== 'rewrite').join(', ')}.`,
    source: containerd24(`${HOSTS}, hostFileConfig`),
    find: (file) => {
      const { root, hosts } = hostsFile(file);
      const top = [...(root?.entries ?? [])].filter(
        ([key]) => !HOST_KEYS.has(key) && key !== 'server' && key !== 'host',
      );
      const inner = hosts.flatMap(({ table }) =>
        [...table.entries].filter(([key]) => !HOST_KEYS.has(key) && key !== 'server'),
      );
      return [...top, ...inner].map(([key, { line }]) => ({ line, subject: `key ${quoted(key)}` }));
    },
  },
  {
    ...COMMON,
    name: 'containerd-hosts-capability',
    effect: 'bypass',
    key: 'capabilities',
    happens:
      'containerd knows pull, resolve and push, and since 2.2 referrers. For any other word it logs an error, ignores the whole file, and asks the registry itself.',
    remedy: 'Write capabilities = ["pull", "resolve"].',
    source: containerd24(
      `${HOSTS}, parseHostConfig and loadHostDir`,
      'containerd 2.4.2 asks only registry-1.docker.io',
    ),
    find: (file) => {
      const { root, hosts } = hostsFile(file);
      const all = [...(root ? capabilities(root) : []), ...hosts.flatMap(({ table }) => capabilities(table))];
      return all
        .filter(({ text }) => !/^(pull|resolve|push|referrers)$/i.test(text))
        .map(({ text, line }) => ({ line, subject: `capability ${quoted(text)}` }));
    },
  },
  {
    ...COMMON,
    name: 'containerd-hosts-no-resolve',
    effect: 'leak',
    key: 'capabilities',
    happens:
      'Without the capability resolve, containerd does not ask this host for tags. It asks the next host or the registry itself.',
    remedy: 'Write capabilities = ["pull", "resolve"], or omit the line.',
    source: containerd24('docs/hosts.md, capabilities field'),
    find: (file) =>
      hostsFile(file)
        .hosts.filter(({ table }) => {
          const given = capabilities(table).map(({ text }) => text.toLowerCase());
          return given.length > 0 && !given.includes('resolve');
        })
        .map(hit),
  },
  {
    ...COMMON,
    name: 'containerd-hosts-path',
    effect: 'bypass',
    key: 'override_path',
    happens:
      'containerd appends /v2 to a path that does not end in it, so that its requests miss the API of the registry.',
    remedy: 'Write the whole path, such as https://cr.example.io/v2/PROJECT, and override_path = true.',
    source: containerd24(`${HOSTS}, parseHostConfig`, 'containerd 2.4.2 asks https://cr.example.io/hub/v2'),
    find: (file) =>
      hostsFile(file)
        .hosts.filter(({ url, table }) => {
          const path = pathOf(url);
          return path !== '' && !path.endsWith('/v2') && !isTrue(entryAt(table, 'override_path')?.value);
        })
        .map(hit),
  },
  {
    ...COMMON,
    name: 'containerd-hosts-override-path',
    effect: 'bypass',
    key: 'override_path',
    happens: 'With override_path, containerd does not add /v2, so that its requests miss the API of the registry.',
    remedy: 'Write /v2 into the path of the host, or remove override_path.',
    source: containerd24(`${HOSTS}, parseHostConfig`, 'containerd 2.4.2 asks https://cr.example.io/hub'),
    find: (file) =>
      hostsFile(file)
        .hosts.filter(
          ({ url, table }) => isTrue(entryAt(table, 'override_path')?.value) && !/\/v2(\/|$)/.test(pathOf(url)),
        )
        .map(hit),
  },
  {
    ...COMMON,
    name: 'containerd-hosts-skip-verify',
    effect: 'ca',
    key: 'skip_verify',
    happens:
      'containerd accepts any certificate. Another machine can serve images in its name, and read the credentials.',
    remedy: 'Remove skip_verify, and name the CA: ca = "ca.crt".',
    source: containerd24(`${HOSTS}, hostFileConfig.SkipVerify`),
    find: (file) => {
      const { root, hosts } = hostsFile(file);
      return [root, ...hosts.map(({ table }) => table)].flatMap((table) => {
        const entry = entryAt(table, 'skip_verify');
        return isTrue(entry?.value) ? [{ line: entry?.line ?? 1 }] : [];
      });
    },
  },
  {
    ...COMMON,
    name: 'containerd-hosts-http',
    effect: 'clear-text',
    key: 'host',
    happens: 'containerd speaks plain HTTP with this host: images can be changed on the way, and credentials are read.',
    remedy: 'Write https://, and name a private CA with ca = "ca.crt".',
    source: containerd24(`${HOSTS}, parseHostConfig`),
    find: (file) => {
      const { hosts, server, serverLine } = hostsFile(file);
      const servers = server === undefined ? [] : [{ url: server, line: serverLine }];
      return [...hosts, ...servers]
        .filter(({ url }) => /^http:\/\//i.test(url) && !isLoopback(hostOf(url)))
        .map(({ url, line }) => ({ line, subject: `host ${quoted(url)}` }));
    },
  },
  {
    ...COMMON,
    name: 'containerd-hosts-leak',
    effect: 'leak',
    key: 'server',
    happens:
      'If none of the hosts has the image, or all of them fail, containerd asks the registry itself, in the internet.',
    remedy: 'Write server = "https://EDGE" at the top of the file, so that containerd asks nothing but the edge.',
    source: containerd24(`${HOSTS}, ConfigureHosts`, 'containerd 2.4.2 asks registry-1.docker.io last'),
    find: (file, context) => {
      const { registry, server, serverLine, hosts } = hostsFile(file);
      if (hosts.length === 0 || (!isBehindEdge(registry, context) && registry !== '_default')) return [];
      // A server that stands below a header has a rule of its own.
      if (hosts.some(({ table }) => entryAt(table, 'server'))) return [];
      const last = server === undefined ? registry : hostOf(server);
      const leaks = last === '_default' || isBehindEdge(last, context);
      return leaks ? [{ line: server === undefined ? 1 : serverLine, subject: `images of ${quoted(registry)}` }] : [];
    },
  },
  {
    ...COMMON,
    name: 'containerd-hosts-edge-not-first',
    effect: 'bypass',
    key: 'host',
    happens:
      'containerd asks hosts in the order of the file. It asks this one before the edge, and waits for it if it hangs.',
    remedy: 'Write the [host] of the edge first.',
    source: containerd24('docs/hosts.md, host field(s)'),
    find: (file, context) => {
      const { hosts } = hostsFile(file);
      const place = hosts.findIndex(({ url }) => isEdge(hostOf(url), context));
      return hosts.slice(0, Math.max(0, place)).map(hit);
    },
  },
  {
    ...COMMON,
    name: 'containerd-hosts-no-edge',
    effect: 'bypass',
    key: 'host',
    happens: 'Pulls of these images do not go through the edge, because no host of this file is the edge.',
    remedy: 'Add [host."https://EDGE"] before the other hosts.',
    source: containerd24('docs/hosts.md, host field(s)'),
    find: (file, context) => {
      const { registry, server, hosts } = hostsFile(file);
      if (context.edges.length === 0 || !(registry === '_default' || isBehindEdge(registry, context))) return [];
      const named = [...hosts.map(({ url }) => url), ...(server === undefined ? [] : [server])];
      if (named.length === 0 || named.some((url) => mayBeEdge(hostOf(url), context))) return [];
      return [{ line: hosts[0]?.line ?? 1, subject: `images of ${quoted(registry)}` }];
    },
  },
  {
    ...COMMON,
    name: 'containerd-hosts-no-dial-timeout',
    effect: 'wait',
    versions: { from: '2.1' },
    key: 'dial_timeout',
    happens:
      'If the host does not answer at all, containerd waits 30 s for each connection before it asks the next host.',
    remedy: 'Add dial_timeout = "2s" to this host.',
    source: containerd24('docs/hosts.md, dial_timeout field'),
    find: (file) =>
      hostsFile(file)
        .hosts.filter(({ url, table }) => !entryAt(table, 'dial_timeout') && !isLoopback(hostOf(url)))
        .map(hit),
  },
  {
    ...COMMON,
    name: 'containerd-hosts-dial-timeout-unknown',
    effect: 'wait',
    versions: { before: '2.1' },
    onlyIfVersionKnown: true,
    key: 'dial_timeout',
    happens: 'This version does not know dial_timeout, and ignores it. It waits 30 s for a host that does not answer.',
    remedy: 'Update containerd to 2.1 or newer, or make the address of the edge one that always answers (a VIP).',
    source: containerd21(`${HOSTS}; containerd 2.0.5 has no such key`),
    find: (file) =>
      hostsFile(file).hosts.flatMap(({ url, table }) => {
        const entry = entryAt(table, 'dial_timeout');
        return entry ? [{ line: entry.line, subject: `host ${quoted(url)}` }] : [];
      }),
  },
  {
    ...COMMON,
    name: 'containerd-hosts-duration',
    effect: 'bypass',
    versions: { from: '2.1' },
    key: 'dial_timeout',
    happens:
      'dial_timeout must be a text with a unit. For anything else, containerd logs an error, ignores the whole file, and asks the registry itself.',
    remedy: 'Write dial_timeout = "2s".',
    source: containerd24(
      `${HOSTS}, parseHostConfig and loadHostDir`,
      'containerd 2.4.2 asks only registry-1.docker.io',
    ),
    find: (file) => {
      const { root, hosts } = hostsFile(file);
      return [root, ...hosts.map(({ table }) => table)].flatMap((table) => {
        const entry = entryAt(table, 'dial_timeout');
        return entry && !isDuration(textAt(table, 'dial_timeout') ?? '?') ? [{ line: entry.line }] : [];
      });
    },
  },
  {
    ...COMMON,
    name: 'containerd-hosts-ca-of-server',
    effect: 'ca',
    key: 'ca',
    happens: 'A ca at the top of the file is for the server only. containerd does not use it for this host.',
    remedy: 'Write ca = … below the [host] header too.',
    source: containerd24(`${HOSTS}, parseHostsFile`),
    find: (file, context) => {
      const { root, hosts, server } = hostsFile(file);
      if (!entryAt(root, 'ca')) return [];
      // Another registry may have a certificate that every node trusts.
      const own = server === undefined ? undefined : hostOf(server);
      return hosts
        .filter(({ url, table }) => !/^http:/i.test(url) && !entryAt(table, 'ca') && !entryAt(table, 'skip_verify'))
        .filter(({ url }) => hostOf(url) === own || isEdge(hostOf(url), context))
        .map(hit);
    },
  },
  {
    ...COMMON,
    name: 'containerd-hosts-ca-missing',
    effect: 'broken',
    key: 'ca',
    happens: 'The file of the CA is not there. Every pull of these images fails, also from the other hosts.',
    remedy: 'Put the CA there, or correct the path. A relative path starts at the folder of hosts.toml.',
    source: containerd24(`${HOSTS}, updateTLSConfigFromHost`, 'containerd 2.4.2 says: unable to read CA cert'),
    find: (file, { exists }) => {
      const { root, hosts } = hostsFile(file);
      const folder = file.path.slice(0, file.path.lastIndexOf('/'));
      return [...(root ? textsAt(root, 'ca') : []), ...hosts.flatMap(({ table }) => textsAt(table, 'ca'))]
        .filter(({ text }) => exists(text.startsWith('/') ? text : `${folder}/${text}`) === false)
        .map(({ text, line }) => ({ line, subject: `file ${quoted(text)}` }));
    },
  },
  {
    ...COMMON,
    name: 'containerd-hosts-authorization',
    effect: 'credentials',
    key: 'header.Authorization',
    happens: 'A credential stands in this file. containerd sends it with every request to this host, whoever pulls.',
    remedy: 'Remove the header. Use imagePullSecrets or the credential provider of the kubelet.',
    source: containerd24(`${HOSTS}, parseHostConfig`),
    find: (file) => {
      const { root, hosts } = hostsFile(file);
      return [root, ...hosts.map(({ table }) => table)].flatMap((table) => {
        const header = entryAt(table, 'header')?.value;
        if (header?.kind !== 'map') return [];
        return [...header.entries].filter(([name]) => /^authorization$/i.test(name)).map(([, { line }]) => ({ line }));
      });
    },
  },
  {
    ...COMMON,
    name: 'containerd-hosts-hub-name',
    effect: 'bypass',
    key: 'folder',
    happens:
      'The images of Docker Hub have the name docker.io. containerd never looks into a folder of this name for them.',
    remedy: 'Rename the folder to docker.io.',
    source: containerd20(`${HOSTS}, ConfigureHosts and HostDirFromRoot`),
    find: (file) =>
      /^(index|registry-1)\.docker\.io$/.test(hostsFile(file).registry)
        ? [{ line: 1, subject: `folder ${quoted(hostsFile(file).registry)}` }]
        : [],
  },
];
