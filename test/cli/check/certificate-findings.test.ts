import t from 'tap';
import { certificateFindings } from '../../../src/cli/check/certificate-findings.ts';
import { makeCertificate } from '../../../src/lab/certificate.ts';
import { commonNameOnly } from '../../helpers/odd-certificates.ts';

const DAY = 86_400_000;
const { cert } = await makeCertificate({ names: ['cr.example.io', '*.site.example.io', '10.0.0.10'], days: 100 });
const { cert: other } = await makeCertificate({ names: ['other.example.io'], days: 100 });
const file = (name: string, pem: string) => ({ certFile: name, cert: pem });
const day = (days: number) => new Date(Date.now() + days * DAY).toISOString().slice(0, 10);

t.test('how long a certificate is valid', async (t) => {
  for (const [after, level, message] of [
    [0, 'ok', `valid until ${day(100)}`],
    [87, 'warning', `expires on ${day(100)}`],
    [101, 'error', `expired on ${day(100)}`],
  ] as const) {
    const findings = certificateFindings('cr.example.io', [file('a.crt', cert)], Date.now() + after * DAY);
    t.match(findings, [{ level, subject: 'a.crt', message }]);
    t.equal(findings[0]?.remedy?.startsWith('renew it'), level === 'ok' ? undefined : true);
  }
});

t.test('whether a certificate has the name', async (t) => {
  const named = (hostname: string) => {
    const findings = certificateFindings(hostname, [file('a.crt', other), file('b.crt', cert)], Date.now());
    return findings.find(({ subject }) => subject === 'tls');
  };
  for (const hostname of ['cr.example.io', 'CR.example.io', 'a.site.example.io', '10.0.0.10', '127.0.0.1', '::1'])
    t.equal(named(hostname), undefined, hostname);
  for (const hostname of ['mirror.example.io', 'a.b.site.example.io', '10.0.0.11', '::2', 'localhost.example.io'])
    t.match(named(hostname), {
      level: 'error',
      message: `no certificate has the name ${hostname}, so clients will refuse the connection`,
      remedy: 'issue a certificate with that name',
    });
});

t.test('a certificate with a subject only is none for programs in Go', async (t) => {
  const { cert } = await commonNameOnly(t, 'cr.example.io');
  t.match(certificateFindings('cr.example.io', [file('a.crt', cert)], Date.now()).at(-1), {
    ...{ level: 'error', subject: 'a.crt' },
    message: 'the certificate has no names in it, only a subject, so docker, containerd and podman refuse it',
    remedy: 'make it again: breakwater cert leaf cr.example.io',
  });
});
