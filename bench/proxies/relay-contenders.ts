import { type CertificateFiles, writeCertificate } from '../../test/helpers/certificate.ts';
import { startEdge } from '../../test/helpers/edge.ts';
import type { Owner } from '../../test/helpers/temporary-folder.ts';
import type { ProxyName } from '../options.ts';
import { startCaddy } from './caddy.ts';
import { type Contender, EDGE } from './contender.ts';
import { edgeLauncher } from './edge-package.ts';
import { startHaproxy } from './haproxy.ts';
import { startNginx } from './nginx.ts';
import { freePorts } from './ports.ts';

/** The upstream to which every proxy forwards requests. */
export interface Relayed {
  url: string;
  /** File with the CA of an https upstream. */
  caFile?: string;
}

/** The edge with further top-level keys in its configuration. */
export interface EdgeVariant {
  name: string;
  config: Record<string, unknown>;
}

interface Place extends Relayed {
  owner: Owner;
  port: number;
  certificate: CertificateFiles;
}

/** Each proxy, tuned by an expert for large blobs, with TLS towards the client, in front of the same upstream. */
export async function startRelayContenders(
  owner: Owner,
  upstream: Relayed,
  proxies: readonly ProxyName[],
  variants: readonly EdgeVariant[] = [{ name: EDGE, config: {} }],
): Promise<Contender[]> {
  const certificate = await writeCertificate(owner);
  const contenders: Contender[] = [];
  for (const proxy of proxies) {
    if (proxy === 'edge') {
      for (const variant of variants) contenders.push(await relayByEdge(owner, upstream, variant));
      continue;
    }
    const [port = 0] = await freePorts(1);
    const pid = await STARTERS[proxy]({ owner, port, certificate, ...upstream });
    contenders.push({ name: proxy, url: `https://127.0.0.1:${port}`, pid });
  }
  return contenders;
}

async function relayByEdge(owner: Owner, { url, caFile }: Relayed, { name, config }: EdgeVariant): Promise<Contender> {
  const edge = await startEdge(
    owner,
    {
      upstreams: { upstream: { urls: [url], ...(caFile === undefined ? {} : { caFile }) } },
      routes: [{ prefix: '', pull: [{ upstream: 'upstream' }] }],
      ...config,
    },
    await edgeLauncher(),
  );
  return { name, url: edge.url, pid: edge.pid };
}

const STARTERS: Record<Exclude<ProxyName, 'edge'>, (place: Place) => Promise<number>> = {
  nginx: relayByNginx,
  HAProxy: relayByHaproxy,
  Caddy: relayByCaddy,
};

function relayByNginx({ owner, port, certificate, url, caFile }: Place): Promise<number> {
  const verified = `proxy_ssl_verify on; proxy_ssl_trusted_certificate ${caFile}; proxy_ssl_name localhost; proxy_ssl_protocols TLSv1.3;`;
  const http = `
  upstream registry {
    server ${new URL(url).host};
    keepalive 64;
    keepalive_requests 1000000000;
  }
  server {
    listen 127.0.0.1:${port} ssl backlog=4096;
    ssl_certificate ${certificate.certFile};
    ssl_certificate_key ${certificate.keyFile};
    ssl_protocols TLSv1.3;
    location /v2/ {
      proxy_pass ${new URL(url).protocol}//registry;
      ${caFile === undefined ? '' : verified}
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-Proto https;
      proxy_buffer_size 64k;
      proxy_buffers 16 64k;
      proxy_max_temp_file_size 0;
    }
  }`;
  return startNginx(owner, http, [port]);
}

function relayByHaproxy({ owner, port, certificate, url, caFile }: Place): Promise<number> {
  const verified =
    caFile === undefined ? '' : `ssl verify required ca-file ${caFile} verifyhost localhost ssl-min-ver TLSv1.3`;
  const sections = (pem: string) => `
frontend clients
  bind 127.0.0.1:${port} ssl crt ${pem} alpn h2,http/1.1 backlog 4096
  http-request set-header X-Forwarded-Proto https
  default_backend registry
backend registry
  server upstream ${new URL(url).host} ${verified}`;
  return startHaproxy(owner, { sections, certificate, ports: [port] });
}

function relayByCaddy({ owner, port, certificate, url, caFile }: Place): Promise<number> {
  const verified = caFile === undefined ? '' : `tls_trusted_ca_certs ${caFile}`;
  const sites = `
https://127.0.0.1:${port}, https://localhost:${port} {
  bind 127.0.0.1
  tls ${certificate.certFile} ${certificate.keyFile} {
    protocols tls1.3
  }
  reverse_proxy ${url} {
    transport http {
      ${verified}
      keepalive_idle_conns_per_host 64
      read_buffer 65536
      write_buffer 65536
      compression off
    }
  }
}`;
  return startCaddy(owner, sites, [port]);
}
