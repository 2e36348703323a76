import type { Contender } from '../proxies/contender.ts';
import { startHaproxy } from '../proxies/haproxy.ts';
import { freePorts } from '../proxies/ports.ts';
import { CHECK, FALLBACK, type FailoverSetup, PRIMARY, SERVED_BY } from './failover-setup.ts';

/**
 * What an expert makes of HAProxy: the primary, checked by reading a manifest, and as its backup HAProxy itself over
 * loopback, where the names are rewritten. The first bad answer takes the primary out until checks are good again.
 */
export async function failoverByHaproxy(setup: FailoverSetup): Promise<Contender> {
  const [port = 0, hop = 0] = await freePorts(2);
  const sections = (pem: string) => configuration(setup, port, hop, pem);
  const { owner, certificate } = setup;
  const pid = await startHaproxy(owner, { sections, certificate, ports: [port, hop] });
  return { name: 'HAProxy', url: `https://127.0.0.1:${port}`, pid };
}

function configuration({ primary, fallback }: FailoverSetup, port: number, hop: number, pem: string): string {
  return `
frontend clients
  bind 127.0.0.1:${port} ssl crt ${pem} alpn h2,http/1.1
  default_backend registry
backend registry
  timeout connect 1s
  timeout server 3s
  timeout check 1s
  retries 3
  option redispatch 1
  retry-on all-retryable-errors
  option httpchk
  http-check send meth GET uri ${CHECK.path} ver HTTP/1.1 hdr Host localhost hdr Accept ${CHECK.accept}
  http-check expect status 200
  http-response set-header ${SERVED_BY} ${PRIMARY} unless { res.hdr(${SERVED_BY}) -m found }
  server primary ${primary} check inter 1s fastinter 500ms fall 2 rise 2 observe layer7 error-limit 1 on-error mark-down
  server backup 127.0.0.1:${hop} backup
frontend hop
  bind 127.0.0.1:${hop}
  default_backend fallback
backend fallback
  timeout server 10s
  http-request replace-path /v2/library/(.*) /v2/example-project/\\1
  http-response set-header ${SERVED_BY} ${FALLBACK}
  server fallback ${fallback}`;
}
