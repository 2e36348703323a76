import { pino } from 'pino';
import t, { type Test } from 'tap';
import { credentialEvents } from '../../src/app/credential-events.ts';
import type { CredentialRole } from '../../src/failover/credentials.ts';
import { MockedTime } from '../helpers/host-clock.ts';

const DAY = 86_400_000;

function made(t: Test) {
  const time = new MockedTime(t);
  const lines: string[] = [];
  const log = pino({}, { write: (line: string) => void lines.push(line) });
  const { credentials, credentialsEnd } = credentialEvents(log);
  /** The lines since the last look: level, upstream, user. */
  const logged = () => {
    const found = lines.splice(0).map((line) => JSON.parse(line));
    return found.map(({ level, upstream, username }) => `${level} ${upstream} ${username}`);
  };
  const refused = (role: CredentialRole, username: string, upstream = 'harbor') =>
    credentials(upstream, 'it answers 401', { role, username });
  const ends = (at: number, username = 'robot$copy') =>
    credentialsEnd?.('harbor', at, { role: 'replication', username });
  const accepted = () => credentials('harbor', undefined, { role: 'probe', username: 'robot$probe' });
  return { time, logged, refused, ends, accepted };
}

t.test('each account that is refused is logged, and each once a second', async (t) => {
  const { time, logged, refused, accepted } = made(t);
  refused('probe', 'robot$probe');
  refused('probe', 'robot$probe');
  // The canary login of the authority has the role of the probe, too.
  refused('probe', 'robot$login');
  refused('own', 'robot$probe');
  refused('probe', 'robot$probe', 'gcr');
  t.strictSame(logged(), [
    '50 harbor robot$probe',
    '50 harbor robot$login',
    '50 harbor robot$probe',
    '50 gcr robot$probe',
  ]);
  time.pass(999);
  refused('probe', 'robot$probe');
  t.strictSame(logged(), []);
  time.pass(1);
  refused('probe', 'robot$probe');
  accepted();
  t.strictSame(logged(), ['50 harbor robot$probe', '30 harbor robot$probe']);
});

t.test('an end within 14 days is logged once a day', async (t) => {
  const { time, logged, ends } = made(t);
  const end = Date.now() + 15 * DAY;
  ends(end);
  t.strictSame(logged(), []);
  time.pass(DAY + 1000);
  ends(end);
  ends(end);
  t.strictSame(logged(), ['40 harbor robot$copy']);
  time.pass(DAY);
  ends(end);
  t.strictSame(logged(), ['40 harbor robot$copy']);
});
