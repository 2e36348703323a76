import { startCaddy } from '../proxies/caddy.ts';
import type { Contender } from '../proxies/contender.ts';
import { freePorts } from '../proxies/ports.ts';
import { CHECK, FALLBACK, type FailoverSetup, PRIMARY, SERVED_BY } from './failover-setup.ts';

/**
 * What an expert makes of Caddy: the primary, checked by reading a manifest, and as the second choice Caddy itself over
 * loopback, where the names are rewritten. One failure leaves the primary alone for a while; what it answers with 404 or
 * 5xx is asked again at the second.
 */
export async function failoverByCaddy(setup: FailoverSetup): Promise<Contender> {
  const [port = 0, hop = 0] = await freePorts(2);
  const pid = await startCaddy(setup.owner, sites(setup, port, hop), [port, hop]);
  return { name: 'Caddy', url: `https://127.0.0.1:${port}`, pid };
}

function sites({ primary, fallback, certificate, quick }: FailoverSetup, port: number, hop: number): string {
  return `
https://127.0.0.1:${port}, https://localhost:${port} {
  bind 127.0.0.1
  tls ${certificate.certFile} ${certificate.keyFile} {
    protocols tls1.3
  }
  header ?${SERVED_BY} ${PRIMARY}
  reverse_proxy ${primary} 127.0.0.1:${hop} {
    lb_policy first
    lb_try_duration 6s
    lb_try_interval 50ms
    max_fails 1
    fail_duration ${quick ? '1s' : '10s'}
    unhealthy_status 5xx
    health_uri ${CHECK.path}
    health_headers {
      Accept ${CHECK.accept}
    }
    health_interval 1s
    health_timeout 1s
    health_status 200
    transport http {
      dial_timeout 1s
      response_header_timeout 3s
      compression off
      keepalive_idle_conns_per_host 64
    }
    @bad status 404 5xx
    handle_response @bad {
      reverse_proxy 127.0.0.1:${hop}
    }
  }
}
http://127.0.0.1:${hop}, http://localhost:${hop} {
  bind 127.0.0.1
  uri replace /v2/library/ /v2/example-project/ 1
  header ${SERVED_BY} ${FALLBACK}
  reverse_proxy ${fallback}
}`;
}
