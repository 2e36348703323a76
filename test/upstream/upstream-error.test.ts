import t from 'tap';
import { asUpstreamError, isOwnFault, UpstreamError } from '../../src/upstream/upstream-error.ts';

const coded = (code: string, message = 'what happened') => Object.assign(new Error(message), { code });

t.test('the reason behind an error', async (t) => {
  const rows: [unknown, string][] = [
    [coded('ENOTFOUND'), 'dns'],
    [coded('EAI_AGAIN'), 'dns'],
    [coded('ECONNREFUSED'), 'connect'],
    [coded('EHOSTUNREACH'), 'connect'],
    [coded('UND_ERR_CONNECT_TIMEOUT'), 'connect'],
    [coded('ECONNRESET'), 'reset'],
    [coded('EMFILE'), 'descriptors'],
    [coded('ENFILE'), 'descriptors'],
    [new AggregateError([coded('EMFILE'), coded('EMFILE')]), 'descriptors'],
    [coded('EPIPE'), 'reset'],
    [coded('UND_ERR_SOCKET', 'other side closed'), 'short'],
    [coded('UND_ERR_RES_CONTENT_LENGTH_MISMATCH'), 'length'],
    [coded('CERT_HAS_EXPIRED'), 'tls'],
    [coded('DEPTH_ZERO_SELF_SIGNED_CERT'), 'tls'],
    [coded('SELF_SIGNED_CERT_IN_CHAIN'), 'tls'],
    [coded('UNABLE_TO_VERIFY_LEAF_SIGNATURE'), 'tls'],
    [coded('ERR_TLS_CERT_ALTNAME_INVALID'), 'tls'],
    [coded('ERR_SSL_WRONG_VERSION_NUMBER'), 'tls'],
    [coded('HPE_INVALID_CONSTANT'), 'malformed'],
    [
      Object.assign(new Error('Response does not match the HTTP/1.1 protocol'), { name: 'HTTPParserError' }),
      'malformed',
    ],
    [new AggregateError([coded('ECONNREFUSED'), coded('ENOTFOUND')]), 'connect'],
    [new AggregateError([]), 'reset'],
    [new UpstreamError('digest', 'x'), 'digest'],
    [coded('constructor'), 'reset'],
    ['a text', 'reset'],
    [undefined, 'reset'],
  ];
  for (const [error, reason] of rows) t.equal(asUpstreamError(error).reason, reason, String(error));
});

t.test('as an error of an upstream', async (t) => {
  const own = new UpstreamError('stall', 'x');
  t.equal(asUpstreamError(own), own);
  t.match(asUpstreamError(coded('ECONNRESET', 'read ECONNRESET')), { reason: 'reset', message: 'read ECONNRESET' });
  t.equal(
    asUpstreamError(coded('HPE_INVALID_CONSTANT', 'Expected HTTP/')).message,
    'Expected HTTP/ (HPE_INVALID_CONSTANT)',
  );
  t.equal(asUpstreamError(coded('ECONNREFUSED', '')).message, 'ECONNREFUSED');
  const cause = coded('EPIPE');
  t.equal(asUpstreamError(cause).cause, cause);
});

t.test('a mistake of our own is told apart', async (t) => {
  t.ok(isOwnFault(new TypeError('x is not a function')));
  t.ok(isOwnFault(coded('UND_ERR_INVALID_ARG')));
  t.notOk(isOwnFault(coded('ECONNRESET')));
  t.notOk(isOwnFault(new UpstreamError('reset', 'x')));
});
