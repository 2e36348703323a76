import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Interview } from '../../../src/cli/init/interview.ts';
import { siteFiles } from '../../../src/cli/init/site-files.ts';
import { planSite, type SiteOptions } from '../../../src/cli/init/site-questions.ts';
import type { Prompt } from '../../../src/cli/init/terminal-prompt.ts';
import { writeMaterial } from '../../config/write-material.ts';
import { type Owner, temporaryFolder } from '../../helpers/temporary-folder.ts';

const USUAL: SiteOptions = {
  https: '0.0.0.0:443',
  admin: '127.0.0.1:9443',
  prefix: '',
  realmHost: [],
  fallbackRealmHost: [],
};
const KEY = '{ "type": "service_account" }';

/** A person who gives these answers, one after the other. */
class Person implements Prompt {
  readonly shown: string[] = [];
  readonly hidden: string[] = [];
  readonly #answers: string[];

  constructor(answers: readonly string[]) {
    this.#answers = [...answers];
  }

  get left(): number {
    return this.#answers.length;
  }

  async ask(question: string): Promise<string> {
    this.shown.push(question);
    const answer = this.#answers.shift();
    if (answer === undefined) throw new Error(`no answer to ${question}`);
    return answer;
  }

  askHidden(question: string): Promise<string> {
    this.hidden.push(question);
    return this.ask(question);
  }

  print(line: string): void {
    this.shown.push(line);
  }

  close(): void {}
}

function files(owner: Owner): { secret: string; key: string } {
  const folder = temporaryFolder(owner);
  const [secret, key] = [join(folder, 'secret'), join(folder, 'key.json')];
  writeFileSync(secret, 'robot secret\n');
  writeFileSync(key, `${KEY}\n`);
  return { secret, key };
}

t.test('every answer from options', async (t) => {
  const { secret, key } = files(t);
  const options = {
    ...{ ...USUAL, hostname: 'CR.example.io', primary: 'harbor.lan', fallback: 'europe-docker.pkg.dev/p/r' },
    ...{ primaryUser: 'robot$edge', primaryPasswordFile: secret, fallbackPasswordFile: key },
  };
  const plan = await planSite(new Interview(undefined, false), options);
  t.match(plan, {
    ...{ hostname: 'cr.example.io', auth: 'delegate', certificate: { from: 'ca' }, user: undefined, prefix: '' },
    primary: {
      ...{ url: 'https://harbor.lan', kind: 'harbor', canary: 'library/canary:latest' },
      account: { username: 'robot$edge', password: 'robot secret' },
    },
    fallback: { prefix: 'p/r/', kind: 'artifact-registry', account: { username: '_json_key', password: KEY } },
  });
});

t.test('without a terminal, every option that is missing is named at once', async (t) => {
  const missing = async (options: Partial<SiteOptions>) => {
    const error = await planSite(new Interview(undefined, true), { ...USUAL, ...options }).then(
      () => new Error('nothing is missing'),
      (error: Error) => error,
    );
    t.equal(error.name, 'UsageError');
    return /missing: (.*)\. See/.exec(error.message)?.[1];
  };
  const account = '--primary-user, --primary-password-file';
  t.equal(await missing({}), `--hostname, --primary, ${account}, --fallback, --fallback-password-file`);
  t.equal(
    await missing({ primaryKind: 'registry', auth: 'htpasswd', fallback: 'backup.lan' }),
    '--hostname, --primary, --login-user, --login-password-file',
    'a registry without a login is possible',
  );
  t.match(await missing({ certificate: 'files' }), /, --cert-file, --cert-key-file$/);
});

t.test('a person is asked for what is missing, and again after a wrong answer', async (t) => {
  const { key } = files(t);
  const person = new Person([
    ...['bad host', 'cr.example.io', 'ftp://x', 'harbor.lan', '', ''],
    ...['', 'robot$edge', '', 'robot secret'],
    ...['europe-docker.pkg.dev', 'europe-docker.pkg.dev/p/r', '', '/no/such/file', key, ''],
  ]);
  const plan = await planSite(new Interview(person, false), USUAL);
  t.equal(person.left, 0);
  t.match(plan, {
    ...{ hostname: 'cr.example.io', auth: 'delegate', certificate: { from: 'ca' } },
    primary: { account: { username: 'robot$edge', password: 'robot secret' } },
    fallback: { account: { username: '_json_key', password: KEY } },
  });
  const shown = person.shown.join('\n');
  t.strictSame(person.hidden, ['Password of robot$edge: ', 'Password of robot$edge: '], 'secrets are not shown');
  for (const part of [/--hostname: expected a host name/, /no address of a registry/, /It must not be empty/])
    t.match(shown, part);
  t.match(shown, /project and repository too/);
  t.match(shown, /does not exist/);
  t.match(shown, /Expiration: never/, 'which robot');
  t.match(shown, /roles\/artifactregistry\.writer/, 'which role');
});

t.test('--yes asks only for what has no usual answer', async (t) => {
  const { secret, key } = files(t);
  const person = new Person(['cr.example.io', 'harbor.lan', 'robot$edge', 'asia.gcr.io/p']);
  const options = { ...USUAL, primaryPasswordFile: secret, fallbackPasswordFile: key };
  const plan = await planSite(new Interview(person, true), options);
  t.match(plan, { auth: 'delegate', fallback: { prefix: 'p/', note: /asia-docker\.pkg\.dev\/p\/asia\.gcr\.io/ } });
});

t.test('users of the edge', async (t) => {
  const person = new Person([
    ...['registry', '', '', '', '', '', 'ann:x', 'ann', 'secret', 'other', 'secret', 'secret', 'later'],
  ]);
  const plan = await planSite(new Interview(person, false), {
    ...USUAL,
    ...{ hostname: 'cr.example.io', primary: 'registry.lan', fallback: 'backup.lan/mirror' },
  });
  t.equal(person.left, 0);
  t.match(plan, {
    ...{ auth: 'htpasswd', user: { username: 'ann', password: 'secret' }, certificate: { from: 'later' } },
    ...{ primary: { account: undefined }, fallback: { account: undefined, prefix: 'mirror/' } },
  });
  t.match(person.shown.join('\n'), /is not a user name[\s\S]*The two differ/);
});

t.test('a certificate of the operator', async (t) => {
  const { secret, key } = files(t);
  const folder = await writeMaterial(t);
  const options = {
    ...{ ...USUAL, hostname: 'cr.example.io', primary: 'harbor.lan', fallback: 'europe-docker.pkg.dev/p/r' },
    ...{ primaryUser: 'robot$edge', primaryPasswordFile: secret, fallbackPasswordFile: key },
  };
  const ask = (more: Partial<SiteOptions>) => planSite(new Interview(undefined, false), { ...options, ...more });
  const [certFile, certKeyFile] = [join(folder, 'tls.crt'), join(folder, 'tls.key')];
  t.match(await ask({ certFile, certKeyFile }), { certificate: { from: 'files', cert: /BEGIN CERTIFICATE/ } });
  t.match(await ask({ primaryCa: certFile }), { primary: { ca: /BEGIN CERTIFICATE/ } });
  const wrong: [Partial<SiteOptions>, RegExp][] = [
    [{ certFile, certKeyFile: join(folder, 'other.key') }, /key does not belong to the first certificate/],
    [{ certFile: join(folder, 'garbage'), certKeyFile }, /no certificate in PEM form/],
    [{ certFile, certKeyFile, certificate: 'ca' }, /for --certificate files, not ca/],
    [{ primaryCa: join(folder, 'missing') }, /^--primary-ca: .* does not exist/],
  ];
  for (const [more, message] of wrong) await t.rejects(ask(more), { name: 'UsageError', message });
});

t.test('a key that lies beside a certificate is written to no open file', async (t) => {
  const { secret, key } = files(t);
  const folder = await writeMaterial(t);
  const read = (name: string) => readFileSync(join(folder, name), 'utf8');
  const pem = join(folder, 'combined.pem');
  writeFileSync(pem, `${read('tls.key')}subject=CN\n${read('tls.crt')}`);
  const options = {
    ...{ ...USUAL, hostname: 'cr.example.io', primary: 'harbor.lan', fallback: 'europe-docker.pkg.dev/p/r' },
    ...{ primaryUser: 'robot$edge', primaryPasswordFile: secret, fallbackPasswordFile: key },
    ...{ primaryCa: pem, fallbackCa: pem },
  };
  const ask = (more: Partial<SiteOptions>) => planSite(new Interview(undefined, false), { ...options, ...more });
  const own = await ask({ certFile: pem, certKeyFile: pem });
  const acme = await ask({ certificate: 'acme', acmeAgree: true, acmeCa: pem });
  for (const plan of [own, acme]) {
    const open = (await siteFiles(plan, {}, Date.now())).filter(({ isSecret }) => !isSecret);
    const certificates = open.filter(({ name }) => name.endsWith('.crt'));
    t.equal(certificates.length, 3);
    for (const { name, content } of certificates) t.equal(content, read('tls.crt'), name);
  }
  t.match(own, { certificate: { key: /PRIVATE KEY/ } });
});

t.test('a certificate by ACME', async (t) => {
  const { secret, key } = files(t);
  const options = {
    ...{ ...USUAL, hostname: 'cr.example.io', primary: 'harbor.lan', fallback: 'europe-docker.pkg.dev/p/r' },
    ...{ primaryUser: 'robot$edge', primaryPasswordFile: secret, fallbackPasswordFile: key, certificate: 'acme' },
  };
  const ask = (more: Partial<SiteOptions>) => planSite(new Interview(undefined, false), { ...options, ...more });
  await t.rejects(ask({}), /missing: --acme-agree\./, 'consent has no usual answer');
  t.match(await ask({ acmeAgree: true }), { certificate: { from: 'acme', email: undefined, directory: undefined } });
  const folder = await writeMaterial(t);
  const own = { acmeAgree: true, acmeEmail: 'ops@example.io', acmeDirectory: 'https://ca.lan/acme/directory' };
  t.match(await ask({ ...own, acmeCa: join(folder, 'tls.crt') }), {
    certificate: { email: 'ops@example.io', directory: 'https://ca.lan/acme/directory', ca: /BEGIN CERTIFICATE/ },
  });
  await t.rejects(ask({ acmeAgree: true, acmeEmail: 'ops' }), /^--acme-email: expected an email address; found ops/);
  await t.rejects(ask({ acmeAgree: true, acmeDirectory: 'http://ca.lan' }), /^--acme-directory: expected an https URL/);
  const person = new Person(['no', 'yes', '']);
  t.match(
    await planSite(new Interview(person, false), {
      ...options,
      primaryKind: 'harbor',
      auth: 'delegate',
      primaryCa: join(folder, 'tls.crt'),
      fallbackUser: '_json_key',
    }),
    {
      certificate: { from: 'acme' },
    },
  );
});

t.test('a fallback without a password file', async (t) => {
  const { secret } = files(t);
  const usual = {
    ...{ ...USUAL, hostname: 'a.lan', primary: 'b.lan', fallback: 'europe-docker.pkg.dev/p/r' },
    ...{ primaryUser: 'robot$edge', primaryPasswordFile: secret },
  };
  const ask = (more: Partial<SiteOptions>) => planSite(new Interview(undefined, false), { ...usual, ...more });
  const plan = await ask({ fallbackMetadata: 'gcp' });
  const written = await siteFiles(plan, {}, Date.now());
  t.notMatch(written.map(({ name }) => name).join(), /fallback\.secret/);
  t.match(String(written.at(-1)?.content), /^ {4}credentials: \{ metadata: gcp \}/m);
  t.match(await ask({ fallbackHelper: 'gcr' }), { fallback: { account: { helper: 'gcr' } } });
  const wrong: [Partial<SiteOptions>, RegExp][] = [
    [{ fallbackHelper: '../x' }, /^--fallback-helper: expected NAME of a program/],
    [{ fallbackHelper: 'x', fallbackUser: 'y' }, /^--fallback-helper and --fallback-user are different ways to log in/],
    [{ fallbackMetadata: 'aws' }, /^--fallback-metadata: expected gcp; found aws/],
    [{ fallbackMetadata: 'gcp', fallbackPasswordFile: secret }, /are different ways to log in/],
  ];
  for (const [more, message] of wrong) await t.rejects(ask(more), { name: 'UsageError', message });
});

t.test('options that cannot be used', async (t) => {
  const { secret } = files(t);
  const folder = await writeMaterial(t);
  const rows: [Partial<SiteOptions>, RegExp][] = [
    [{ auth: 'basic' }, /^--auth: expected delegate, htpasswd, open; found basic$/],
    [{ primaryKind: 'quay' }, /^--primary-kind: expected harbor, registry; found quay$/],
    [{ fallbackKind: 'ecr' }, /^--fallback-kind: expected artifact-registry, harbor, registry/],
    [{ certificate: 'letsencrypt' }, /^--certificate: expected ca, acme, files, later/],
    [{ prefix: 'library' }, /^--prefix: expected a repository prefix/],
    [{ canary: 'UPPER' }, /^--canary: expected an image/],
    [{ https: '443' }, /^--https: expected an address and port/],
    [{ realmHost: ['https://x'] }, /^--realm-host: expected HOST/],
    [{ fallbackRealmHost: ['a b'] }, /^--fallback-realm-host: expected HOST/],
    [{ primaryUser: 'a:b' }, /^--primary-user: a user name has no colon/],
    [{ primaryPasswordFile: join(folder, 'missing') }, /^--primary-password-file: the file does not exist$/],
    [{ primaryPasswordFile: join(folder, 'empty') }, /^--primary-password-file: the file is empty/],
    [{ primaryPasswordFile: '/dev/zero' }, /^--primary-password-file: the file is longer than 65536 bytes/],
    [{ fallbackPasswordFile: secret }, /^--fallback-password-file: the file is no JSON key of a service account/],
  ];
  for (const [more, message] of rows) {
    const options = { ...USUAL, hostname: 'a.lan', primary: 'b.lan', fallback: 'europe-docker.pkg.dev/p/r', ...more };
    const account = {
      primaryUser: 'x',
      primaryPasswordFile: secret,
      fallbackPasswordFile: join(folder, 'gcr-key.json'),
    };
    await t.rejects(planSite(new Interview(undefined, false), { ...account, ...options }), {
      name: 'UsageError',
      message,
    });
  }
});
