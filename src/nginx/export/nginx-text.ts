import type { Config } from '../../config/schema.ts';
import { gapsOf } from './gap-list.ts';
import { block, nginxTime, nginxWord } from './nginx-word.ts';
import { routesText } from './route-text.ts';
import { type ExportOptions, groupText } from './upstream-text.ts';

/**
 * The configuration of an nginx that does of a site what nginx can: pulls fail over, and pushes, with the HEADs of blobs before them, go to
 * the push upstream only.
 * @param source name of the configuration
 * @throws UnwritableError
 */
export function nginxText(config: Config, source: string, options: ExportOptions): string {
  const head = [
    `Made by \`breakwater nginx export\` from ${source.replace(/[\u0000-\u001f\u007f]/g, '?')}: plan B, if an edge cannot run.`,
    'Pulls go to the upstreams of a route in their order. Pushes, and the HEADs of blobs that precede them, go to the push upstream only: a',
    'client that a fallback told "exists" would skip the upload.',
    '',
    'What nginx cannot do:',
    ...gapsOf(config, options).map((gap) => `- ${gap}`),
  ];
  const lines = [
    ...head.map((line) => `# ${line}`.trimEnd()),
    'worker_processes auto;',
    'events { worker_connections 4096; }',
    ...block('http', [...clientText(config), '', ...KINDS, '', ...groupsText(config), ...serversText(config, options)]),
  ];
  return `${lines.join('\n')}\n`;
}

/** Which requests only the push upstream may answer. A path is compared as nginx has decoded it. */
const KINDS = [
  '# An upload session belongs to one registry, and so do the questions whether a blob is there.',
  ...block('map "$request_method $uri $arg_digest" $breakwater_kind', [
    'default                           write;',
    '"~^GET .*/blobs/uploads/"         session;',
    '"~^HEAD .*/blobs/"                session;',
    '"~^POST .*/blobs/uploads/? $"     start;',
    '"~^(GET|HEAD) "                   pull;',
    '"~^DELETE .*/blobs/uploads/"      write;',
    '"~^DELETE "                       delete;',
  ]),
];

function clientText({ limits, trustedProxies, listen }: Config): string[] {
  const idle = nginxTime(limits.clientIdle);
  return [
    'server_tokens off;',
    'client_max_body_size 0;',
    `client_body_timeout ${idle};`,
    `send_timeout ${idle};`,
    `keepalive_timeout ${nginxTime(limits.keepAlive)};`,
    `large_client_header_buffers 4 ${Math.ceil(limits.headerBytes / 1024)}k;`,
    '# Nothing is written to disk.',
    'proxy_buffering off;',
    'proxy_request_buffering off;',
    'proxy_max_temp_file_size 0;',
    'proxy_http_version 1.1;',
    'chunked_transfer_encoding on;',
    'recursive_error_pages on;',
    ...trustedProxies.map((one) => `set_real_ip_from ${nginxWord(one)};`),
    ...(trustedProxies.length > 0
      ? [`real_ip_header ${listen.proxyProtocol ? 'proxy_protocol' : 'X-Forwarded-For'};`, 'real_ip_recursive on;']
      : []),
  ];
}

function groupsText({ upstreams, routes, passthrough }: Config): string[] {
  const used = new Set([
    passthrough,
    ...routes.flatMap(({ push, pull }) => [push, ...pull.map(({ upstream }) => upstream)]),
  ]);
  return Object.entries(upstreams).flatMap(([name, upstream]) =>
    used.has(name) ? [...groupText(name, upstream), ''] : [],
  );
}

function serversText(config: Config, options: ExportOptions): string[] {
  const registries = new Set(config.routes.map(({ registry }) => registry));
  registries.add(undefined);
  const servers = [...registries].flatMap((registry) => {
    const names = registry === undefined ? [config.hostname, ...config.aliases] : [registry];
    const routes = config.routes.filter((route) => route.registry === registry);
    return block('server', [
      ...listenText(config, ''),
      `server_name ${names.map(nginxWord).join(' ')};`,
      ...certificateText(config, options),
      'set $breakwater_path $uri;',
      ...loginText(config, options),
      ...routesText(config, routes, options),
    ]);
  });
  const others = [
    '# Any other name is refused, as the edge does.',
    ...block('server', [...listenText(config, ' default_server'), ...certificateText(config, options), 'return 421;']),
  ];
  return [...servers, ...others, ...redirectText(config)];
}

function listenText({ listen }: Config, suffix: string): string[] {
  const proxied = listen.proxyProtocol ? ' proxy_protocol' : '';
  const plain =
    listen.plain !== undefined && listen.plainClients === 'all'
      ? [`listen ${nginxWord(listen.plain)}${proxied}${suffix};`]
      : [];
  return [`listen ${nginxWord(listen.https)} ssl http2${proxied}${suffix};`, ...plain];
}

/** nginx chooses among several certificates by the kind of key, not by name: each name gets the first one. */
function certificateText({ tls }: Config, { fileOf }: ExportOptions): string[] {
  const pair = 'acme' in tls ? { certFile: 'tls.crt', keyFile: 'tls.key' } : Array.isArray(tls) ? tls[0] : tls;
  if (!pair) return [];
  return [
    `ssl_certificate ${nginxWord(fileOf(pair.certFile))};`,
    `ssl_certificate_key ${nginxWord(fileOf(pair.keyFile))};`,
    'ssl_protocols TLSv1.2 TLSv1.3;',
  ];
}

function loginText({ auth, hostname }: Config, { fileOf }: ExportOptions): string[] {
  if (auth.mode !== 'htpasswd' || auth.htpasswdFile === undefined) return [];
  return [`auth_basic ${nginxWord(hostname)};`, `auth_basic_user_file ${nginxWord(fileOf(auth.htpasswdFile))};`];
}

function redirectText({ listen, hostname }: Config): string[] {
  if (listen.http === undefined) return [];
  const port = /:(\d+)$/.exec(listen.https)?.[1];
  const suffix = port === undefined || port === '443' ? '' : `:${port}`;
  return block('server', [
    `listen ${nginxWord(listen.http)};`,
    `server_name ${nginxWord(hostname)};`,
    `return 308 https://${hostname}${suffix}$request_uri;`,
  ]);
}
