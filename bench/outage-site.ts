import { type Edge, startEdge } from '../test/helpers/edge.ts';
import { writeImage } from '../test/helpers/image.ts';
import { type Registry, startRegistry } from '../test/helpers/registry.ts';
import { Skopeo } from '../test/helpers/skopeo.ts';
import { type Owner, temporaryFolder } from '../test/helpers/temporary-folder.ts';
import { EDGE, NGINX } from './contender.ts';
import { freePorts, Nginx } from './nginx.ts';
import type { PullTarget } from './pull-series.ts';

/** Two real registries that hold the same image under different prefixes, and each proxy in front of both. */
export interface OutageSite {
  primary: Registry;
  contenders: { name: string; target: PullTarget }[];
}

export const PRIMARY = 'primary';

/** For `--short`: a registry that is back is trusted sooner than by default. */
const QUICK = { interval: '500ms', fastInterval: '100ms', timeout: '500ms', holdDown: '1s', settle: '500ms' };

export async function startOutageSite(
  owner: Owner,
  { cache, quick }: { cache: boolean; quick: boolean },
): Promise<OutageSite> {
  const [primary, fallback] = await Promise.all([startRegistry(owner, { cache }), startRegistry(owner, { cache })]);
  const skopeo = new Skopeo(owner);
  const image = await writeImage(temporaryFolder(owner), { layers: [10_000] });
  const canary = await writeImage(temporaryFolder(owner), { layers: [1000] });
  await skopeo.push(image.folder, `${primary.address}/library/app:v1`);
  await skopeo.push(image.folder, `${fallback.address}/example-project/app:v1`);
  await skopeo.push(canary.folder, `${primary.address}/library/canary:latest`);

  const probe = quick ? QUICK : {};
  const edge = await startEdge(owner, {
    upstreams: {
      [PRIMARY]: { urls: [primary.url], probe: { canary: 'library/canary:latest', ...probe } },
      fallback: { urls: [fallback.url], probe },
    },
    routes: [
      {
        prefix: 'library/',
        push: PRIMARY,
        pull: [{ upstream: PRIMARY }, { upstream: 'fallback', prefix: 'example-project/' }],
      },
    ],
  });
  await edge.waitFor(({ upstreams }) => upstreams.every(({ state }) => state === 'up'));
  const [port = 0, hop = 0] = await freePorts(2);
  const parts = { port, hop, primary, fallback, edge, failTimeout: quick ? '1s' : '10s' };
  await Nginx.start(owner, rival(parts), [port, hop]);
  const pulled = {
    authority: edge.certificate.authority,
    repository: 'library/app',
    reference: 'v1',
    digest: image.digest,
  };
  return {
    primary,
    contenders: [
      { name: EDGE, target: { ...pulled, url: edge.url } },
      { name: NGINX, target: { ...pulled, url: `https://127.0.0.1:${port}` } },
    ],
  };
}

interface Rival {
  port: number;
  hop: number;
  primary: Registry;
  fallback: Registry;
  edge: Edge;
  /** How long nginx leaves the primary alone after a failure; its default is 10 s. */
  failTimeout: string;
}

/**
 * What an expert makes of nginx: one upstream of the primary and a backup. The backup is nginx itself, over loopback, since
 * only there the names can be rewritten to those of the fallback. It names who served as the edge does, for the counting.
 */
function rival({ port, hop, primary, fallback, edge: { certificate }, failTimeout }: Rival): string {
  return `
  map $upstream_addr $served_by { default fallback; "~${primary.address}$" ${PRIMARY}; }
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_set_header Host $http_host;
  proxy_buffer_size 64k;
  proxy_buffers 16 64k;
  proxy_max_temp_file_size 0;
  proxy_connect_timeout 3s;
  proxy_send_timeout 3s;
  proxy_read_timeout 3s;
  upstream registry {
    server ${primary.address} max_fails=1 fail_timeout=${failTimeout};
    server 127.0.0.1:${hop} backup;
    keepalive 32;
  }
  upstream fallback { server ${fallback.address}; keepalive 32; }
  server {
    listen 127.0.0.1:${hop};
    location /v2/ {
      rewrite ^/v2/library/(.*)$ /v2/example-project/$1 break;
      proxy_pass http://fallback;
    }
  }
  server {
    listen 127.0.0.1:${port} ssl;
    ssl_certificate ${certificate.certFile};
    ssl_certificate_key ${certificate.keyFile};
    ssl_protocols TLSv1.3;
    location /v2/ {
      proxy_pass http://registry;
      proxy_next_upstream error timeout invalid_header http_500 http_502 http_503 http_504;
      proxy_next_upstream_tries 2;
      add_header X-Breakwater-Upstream $served_by always;
    }
  }`;
}
