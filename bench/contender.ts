import { type Edge, startEdge } from '../test/helpers/edge.ts';
import type { Owner } from '../test/helpers/temporary-folder.ts';
import { freePorts, Nginx } from './nginx.ts';
import type { StaticRegistry } from './static-registry.ts';

/** What is measured: a way to the same upstream. */
export interface Contender {
  name: string;
  url: string;
  /** The process whose CPU time and memory count; none where there is no proxy. */
  pid?: number;
}

export const EDGE = 'edge';
export const NGINX = 'nginx';
/** The upstream itself over plain HTTP: what the load generator and the upstream can do without a proxy. */
export const DIRECT = 'no proxy, no TLS';

/** The edge as shipped and nginx as tuned by an expert, with the same certificate, before the same upstream. */
export async function startContenders(owner: Owner, upstream: StaticRegistry): Promise<Contender[]> {
  const edge = await startEdge(owner, {
    upstreams: { upstream: { urls: [upstream.url] } },
    routes: [{ prefix: '', pull: [{ upstream: 'upstream' }] }],
  });
  const [port = 0] = await freePorts(1);
  const nginx = await Nginx.start(owner, rival(port, upstream, edge), [port]);
  return [
    { name: EDGE, url: edge.url, pid: edge.pid },
    { name: NGINX, url: `https://127.0.0.1:${port}`, pid: nginx.pid },
    { name: DIRECT, url: upstream.url },
  ];
}

function rival(port: number, upstream: StaticRegistry, { certificate }: Edge): string {
  return `
  upstream registry {
    server ${new URL(upstream.url).host};
    keepalive 64;
    keepalive_requests 1000000000;
  }
  server {
    listen 127.0.0.1:${port} ssl;
    ssl_certificate ${certificate.certFile};
    ssl_certificate_key ${certificate.keyFile};
    ssl_protocols TLSv1.3;
    location /v2/ {
      proxy_pass http://registry;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-Proto https;
      proxy_buffer_size 64k;
      proxy_buffers 16 64k;
      proxy_max_temp_file_size 0;
    }
  }`;
}
