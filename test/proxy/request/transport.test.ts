import t from 'tap';
import { NetworkSet } from '../../../src/config/network.ts';
import { OciError } from '../../../src/oci/error.ts';
import { isLocalName, refusePlain, schemeOf, TLS, type Transport } from '../../../src/proxy/request/transport.ts';

const BALANCER = '10.0.0.5';
const trustedProxies = new NetworkSet([BALANCER]);
const from = (peer: string | undefined): Transport => ({ peer });

t.test('the scheme is the one by which the client came', async (t) => {
  const rows: [what: string, Transport, host: string, forwardedProto: string | undefined, scheme: string][] = [
    ['TLS', TLS, 'edge.test', undefined, 'https'],
    ['TLS, whatever a header says', TLS, 'edge.test', 'http', 'https'],
    ['a local client', from('127.0.0.1'), '127.0.0.1:5000', undefined, 'http'],
    ['a local client that claims to be a proxy', from('127.0.0.1'), 'localhost:5000', 'https', 'http'],
    ['a stranger that claims to be a proxy', from('10.0.0.6'), 'edge.test', 'https', 'http'],
    ['a unix socket', from('unix:'), 'localhost', undefined, 'http'],
    ['an Ingress', from(BALANCER), 'edge.test', 'https', 'https'],
    ['an Ingress that serves http too', from(BALANCER), 'edge.test', 'http', 'http'],
    ['proxies in a row: the client reached the first', from(BALANCER), 'edge.test', 'https, http', 'https'],
    ['a value that is none', from(BALANCER), 'edge.test', 'wss', 'https'],
    ['an Ingress that says nothing', from(BALANCER), 'edge.test', undefined, 'https'],
    ['IPv4 in IPv6', from(`::ffff:${BALANCER}`), 'edge.test', undefined, 'https'],
    ['a local name behind a proxy that says nothing', from(BALANCER), 'localhost:5000', undefined, 'http'],
    ['a local address behind a proxy that says nothing', from(BALANCER), '[::1]:5000', undefined, 'http'],
  ];
  for (const [what, transport, authority, forwardedProto, scheme] of rows)
    t.equal(schemeOf({ transport, authority, forwardedProto, trustedProxies }), scheme, what);
  t.equal(
    schemeOf({ transport: from(BALANCER), authority: 'x', forwardedProto: 'https', trustedProxies: undefined }),
    'http',
    'without trustedProxies nobody is one',
  );
});

t.test('plain HTTP is for this machine and for load balancers, unless it is for all', async (t) => {
  const refusal = (transport: Transport, plainClients: 'trusted' | 'all') => {
    try {
      refusePlain(transport, { listen: { plainClients } } as never, trustedProxies);
      return undefined;
    } catch (error) {
      return error instanceof OciError ? error.code : error;
    }
  };
  for (const peer of ['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1', 'unix:', BALANCER])
    t.equal(refusal(from(peer), 'trusted'), undefined, `${peer} is served`);
  for (const peer of ['10.0.0.6', '192.0.2.1', '2001:db8::1', '::ffff:10.0.0.6', undefined]) {
    t.equal(refusal(from(peer), 'trusted'), 'DENIED', `${peer} is refused`);
    t.equal(refusal(from(peer), 'all'), undefined, `${peer} is served if all are`);
  }
  t.equal(refusal(TLS, 'trusted'), undefined);
});

t.test('clients of the plain listener may call the edge by the names of this machine', async (t) => {
  for (const host of ['localhost', '127.0.0.1', '[::1]']) {
    t.ok(isLocalName(from('127.0.0.1'), host), host);
    t.ok(isLocalName(from('unix:'), host), `${host} over a unix socket`);
    t.ok(isLocalName(from(BALANCER), host), `${host} from the gateway of a container`);
    t.notOk(isLocalName(TLS, host), `${host} over TLS`);
  }
  t.notOk(isLocalName(from('127.0.0.1'), 'evil.test'), 'a name that DNS rebinding leads here');
});
