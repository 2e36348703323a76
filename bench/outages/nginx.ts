import type { Contender } from '../proxies/contender.ts';
import { startNginx } from '../proxies/nginx.ts';
import { freePorts } from '../proxies/ports.ts';
import { FALLBACK, type FailoverSetup, PRIMARY, SERVED_BY } from './failover-setup.ts';

/**
 * What an expert makes of nginx: one upstream of the primary and a backup. The backup is nginx itself, over loopback, since
 * only there the names can be rewritten to those of the fallback. There are no active checks in the free nginx: after one
 * failure it leaves the primary alone for a while.
 */
export async function failoverByNginx(setup: FailoverSetup): Promise<Contender> {
  const [port = 0, hop = 0] = await freePorts(2);
  const pid = await startNginx(setup.owner, http(setup, port, hop), [port, hop]);
  return { name: 'nginx', url: `https://127.0.0.1:${port}`, pid };
}

function http({ primary, fallback, certificate, quick }: FailoverSetup, port: number, hop: number): string {
  return `
  map $upstream_addr $served_by { default ${FALLBACK}; "~${primary}$" ${PRIMARY}; }
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_set_header Host $http_host;
  proxy_buffer_size 64k;
  proxy_buffers 16 64k;
  proxy_max_temp_file_size 0;
  proxy_connect_timeout 1s;
  proxy_send_timeout 3s;
  proxy_read_timeout 3s;
  upstream registry {
    server ${primary} max_fails=1 fail_timeout=${quick ? '1s' : '10s'};
    server 127.0.0.1:${hop} backup;
    keepalive 32;
  }
  upstream fallback { server ${fallback}; keepalive 32; }
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
      proxy_next_upstream error timeout invalid_header http_500 http_502 http_503 http_504 http_404;
      proxy_next_upstream_tries 2;
      add_header ${SERVED_BY} $served_by always;
    }
  }`;
}
