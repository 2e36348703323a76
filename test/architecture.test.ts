import { readdirSync, readFileSync } from 'node:fs';
import t from 'tap';
import { readSources, type Source } from './helpers/source.ts';

interface Rule {
  /** Folders of src/ whose code it may load. */
  loads: string[];
  /** Further folders of which it may know the types. */
  types?: string[];
}

// The table of the design. Changing it is a decision: say why in docs/adr/.
const RULES: Record<string, Rule> = {
  clock: { loads: [] },
  oci: { loads: [] },
  // Makes certificates and explains them; names and dates are arguments.
  certificates: { loads: [] },
  // What every listener and handler of HTTP needs: how an answer is written, and the boundaries of rule 12. Background work has them too, and programs that are run.
  http: { loads: [] },
  config: { loads: ['oci'] },
  // Orders certificates from an ACME server.
  acme: { loads: ['http', 'certificates'], types: ['config'] },
  failover: { loads: ['clock', 'oci'], types: ['config'] },
  upstream: { loads: ['clock', 'oci', 'http', 'config', 'failover'] },
  ledger: { loads: ['clock', 'oci', 'http', 'failover'] },
  digest: { loads: ['clock', 'oci', 'http', 'upstream'] },
  splice: { loads: ['oci', 'http', 'upstream', 'digest'] },
  auth: { loads: ['clock', 'oci', 'config', 'upstream'] },
  // Tells other nodes what the ledger, the grants and the log of pulls have learnt.
  peer: { loads: ['clock', 'oci', 'http', 'failover', 'upstream', 'ledger', 'auth'], types: ['replication', 'acme'] },
  // Hands on what it hears of changes; what is done about it is not its business.
  proxy: {
    loads: ['clock', 'oci', 'http', 'config', 'failover', 'upstream', 'auth', 'ledger', 'splice', 'digest'],
    types: ['replication'],
  },
  replication: { loads: ['clock', 'oci', 'http', 'config', 'failover', 'upstream', 'ledger'] },
  // Read-only: it sees the shapes of the others, and loads none of them.
  status: {
    loads: ['clock', 'oci', 'http'],
    types: ['config', 'failover', 'upstream', 'auth', 'proxy', 'replication', 'ledger', 'peer', 'acme'],
  },
  // Lets requests of the operator through to what status shows: by host, token and session.
  admin: { loads: ['clock', 'oci', 'http', 'config', 'auth', 'status'] },
  server: { loads: ['http'], types: ['config'] },
  // What clients are told: texts and tables, without I/O.
  clients: { loads: [] },
  // Reads and writes configurations of nginx: texts and tables, without I/O.
  nginx: { loads: ['oci', 'config'] },
  lab: { loads: ['oci', 'certificates'] },
  // `check` asks the upstreams itself, `serve` watches files, `user` hashes passwords, `sync` copies. `check` also asks the other edges. All else goes through the app or its HTTP.
  cli: {
    loads: [
      'http',
      'app',
      'oci',
      'certificates',
      'acme',
      'config',
      'lab',
      'upstream',
      'server',
      'status',
      'auth',
      'replication',
      'clients',
      'nginx',
      'clock',
      'peer',
    ],
    types: ['failover', 'proxy'],
  },
  // All the wiring, and no command.
  app: {
    loads: [
      'clock',
      'oci',
      'http',
      'config',
      'failover',
      'upstream',
      'ledger',
      'splice',
      'digest',
      'auth',
      'peer',
      'proxy',
      'replication',
      'status',
      'admin',
      'server',
      'certificates',
      'acme',
    ],
  },
};

// Inside a folder: which of its rooms may import which. What stands beside the rooms is open to all of them.
const ROOMS: Record<string, Record<string, string[]>> = {
  proxy: {
    request: [],
    reply: ['request'],
    pull: ['request', 'reply'],
    push: ['request', 'reply'],
    endpoints: ['request', 'reply', 'pull', 'push'],
  },
  upstream: { body: [], reader: ['body'], credentials: ['body'], health: ['body'] },
  clients: {
    generate: [],
    part: ['generate'],
    script: ['generate', 'part'],
    cluster: ['generate', 'script'],
    lint: [],
  },
  nginx: { syntax: [], model: ['syntax'], import: ['syntax', 'model'], export: [] },
  status: { snapshot: [], metrics: ['snapshot'], page: ['snapshot'] },
  cli: {
    output: [],
    serve: ['output'],
    user: [],
    // `cert order` speaks to a running edge.
    cert: ['ask'],
    // `check` looks at servers as `cert doctor` does.
    check: ['cert'],
    canary: [],
    client: [],
    nginx: [],
    init: ['canary', 'cert', 'check'],
    sync: ['ask'],
    ask: [],
    lab: ['ask', 'serve', 'output'],
  },
};

// Libraries with traps, each behind one file.
const SOLE_IMPORTER: Record<string, string> = {
  undici: 'src/upstream/client.ts',
  opossum: 'src/upstream/health/breaker.ts',
  'http-proxy': 'src/proxy/push/forwarder.ts',
};

const sources = readSources('src');

t.test('folders import what the design lets them', async (t) => {
  t.ok(sources.length > 50, 'there are sources to look at');
  for (const source of sources) {
    const rule = RULES[source.folder];
    t.ok(rule, `${source.file}: its folder stands in the table`);
    t.strictSame(rule && forbiddenImports(source, rule), [], `${source.file} keeps to it`);
  }
});

function forbiddenImports(source: Source, { loads, types = [] }: Rule): string[] {
  return source.imports
    .filter(({ file, typeOnly }) => {
      const folder = file && folderOf(file);
      if (folder === undefined || folder === source.folder) return false;
      return !loads.includes(folder) && !(typeOnly && types.includes(folder));
    })
    .map(({ specifier, typeOnly }) => (typeOnly ? `type of ${specifier}` : specifier));
}

/** Undefined for what is not a source, such as package.json. */
function folderOf(file: string): string | undefined {
  const [top, ...parts] = file.split('/');
  if (top !== 'src') return undefined;
  return parts.length > 1 ? parts[0] : '';
}

t.test('rooms import what the design lets them', async (t) => {
  for (const [folder, rooms] of Object.entries(ROOMS)) {
    const inside = sources.filter((source) => source.folder === folder);
    t.strictSame(
      [...new Set(inside.flatMap(({ file }) => roomOf(file) ?? []))].sort(),
      Object.keys(rooms).sort(),
      folder,
    );
    for (const { file, imports } of inside) {
      const room = roomOf(file);
      if (room === undefined) continue;
      const wrong = imports.filter((one) => {
        const other = one.file?.startsWith(`src/${folder}/`) ? roomOf(one.file) : undefined;
        return other !== undefined && other !== room && !rooms[room]?.includes(other);
      });
      t.strictSame(
        wrong.map(({ specifier }) => specifier),
        [],
        file,
      );
    }
  }
});

/** `pull` for `src/proxy/pull/race.ts`; undefined for what stands directly in its folder. */
function roomOf(file: string): string | undefined {
  const [, , room, name] = file.split('/');
  return name === undefined ? undefined : room;
}

t.test('pure folders do no I/O', async (t) => {
  const io = /^node:(fs|net|http|https|http2|tls|dns|child_process|worker_threads|timers|dgram|process)(\/|$)/;
  for (const source of sources.filter(({ folder }) => folder === 'oci' || folder === 'failover')) {
    t.strictSame(
      source.imports.map(({ specifier }) => specifier).filter((specifier) => io.test(specifier)),
      [],
      source.file,
    );
    t.notMatch(source.code, /\b(setTimeout|setInterval|fetch|await)\b/, `${source.file} neither waits nor asks`);
  }
});

// Durations are monotonic (rule 12): these files alone read the host's clock, or make dates. Each says why wall time is what it means.
const WALL_CLOCK: Record<string, string> = {
  'src/clock/clock.ts': 'turns monotonic times into what people are shown',
  'src/failover/conclude.ts': 'writes a wall time that it was given',
  'src/failover/lost-content.ts': 'writes a wall time that it was given',
  'src/failover/plan.ts': 'writes a wall time that it was given',
  'src/failover/stale-tag.ts': 'writes a wall time that it was given',
  'src/proxy/pull/attempt.ts': 'Retry-After may be a date',
  'src/replication/route-views.ts': 'writes times that registries tell, by their own clocks',
  'src/replication/registry/registry-failure.ts': 'Retry-After may be a date',
  'src/admin/session.ts': 'sessions are shown to other edges, and after a restart',
  'src/auth/jwt-issuers.ts': 'the end of a JWT is a date',
  'src/proxy/request/sealer.ts': 'redirects are opened by other edges, and after a restart',
  'src/proxy/reply/location.ts': 'redirects are opened by other edges, and after a restart',
  'src/proxy/endpoints/own-token.ts': 'issued_at of a token',
  'src/status/snapshot/certificate-lines.ts': 'writes a wall time that it was given',
  'src/status/snapshot/headline.ts': 'the date of today, from the wall time of a snapshot',
  'src/lab/certificate.ts': 'certificates have dates',
  'src/lab/harbor-lists.ts': 'Harbor tells when a tag was pushed',
  'src/lab/store.ts': 'registries tell when a tag was pushed, or a manifest uploaded',
  'src/lab/access.ts': 'issued_at of a token',
  'src/cli/client/authority-file.ts': 'certificates have dates',
  'src/certificates/certificate-facts.ts': 'writes a wall time that it was given',
  'src/certificates/tls-diagnosis.ts': 'writes a wall time that it was given',
  'src/cli/cert/bundle.ts': 'certificates have dates',
  'src/cli/cert/doctor.ts': 'certificates have dates',
  'src/cli/cert/days.ts': 'certificates have dates',
  'src/cli/cert/ca.ts': 'certificates have dates',
  'src/cli/cert/leaf.ts': 'certificates have dates',
  'src/cli/cert/show.ts': 'certificates have dates',
  'src/cli/cert/tls-probe.ts': 'a server tells the time of day',
  'src/acme/acme-keeper.ts': 'certificates have dates',
  'src/app/acme.ts': 'certificates have dates',
  'src/app/process-state.ts': 'certificates have dates',
  'src/cli/check/acme-findings.ts': 'writes a wall time that it was given',
  'src/cli/check/check.ts': 'certificates have dates',
  'src/cli/client/lint-client.ts': 'certificates have dates',
  'src/cli/init/init-run.ts': 'certificates have dates',
  'src/cli/check/account-findings.ts': 'the end of an account is a date',
  'src/cli/serve/terminal-log.ts': 'the time of a log line',
  'src/cli/output/log-output.ts': 'the time of a log line',
  'src/cli/ask/admin-client.ts': 'ages of times that an edge of another version may not date',
  'src/cli/lab/lab-tour.ts': 'ages of ISO times in answers',
  'src/cli/lab/lab-session.ts': 'ages of ISO times in answers',
};

t.test('durations are monotonic', async (t) => {
  const readers = sources.filter(({ code }) => /\bDate\.now\b|\bnew Date\b/.test(code)).map(({ file }) => file);
  t.strictSame(
    readers.filter((file) => !(file in WALL_CLOCK)),
    [],
    'a new reader of the wall clock is a decision',
  );
  t.strictSame(
    Object.keys(WALL_CLOCK).filter((file) => !readers.includes(file)),
    [],
    'the list names no file in vain',
  );
  for (const { file, folder, code } of sources)
    if (folder === 'oci' || folder === 'failover')
      t.notMatch(code, /\b(Date\.now|monotonicNow|readClocks|performance)\b/, `${file} is given the time`);
});

t.test('no import goes round in a circle', async (t) => {
  // Types count too: files that know each other's types cannot be understood one after the other.
  const graph = new Map(sources.map(({ file, imports }) => [file, imports]));
  const state = new Map<string, 'open' | 'done'>();
  const circles: string[] = [];
  const visit = (file: string, path: string[]): void => {
    if (state.get(file) === 'open') circles.push([...path.slice(path.indexOf(file)), file].join(' -> '));
    if (state.has(file)) return;
    state.set(file, 'open');
    for (const { file: next } of graph.get(file) ?? []) if (next) visit(next, [...path, file]);
    state.set(file, 'done');
  };
  for (const { file } of sources) visit(file, []);
  t.strictSame(circles, []);
});

t.test('each library with traps has one door', async (t) => {
  for (const [name, door] of Object.entries(SOLE_IMPORTER))
    t.strictSame(importers(name), [door], `${name} is imported by ${door} alone`);
});

function importers(name: string): string[] {
  const isIt = (specifier: string) => specifier === name || specifier.startsWith(`${name}/`);
  return sources.filter(({ imports }) => imports.some(({ specifier }) => isIt(specifier))).map(({ file }) => file);
}

t.test('answers are written, and escaped errors are met, in one place', async (t) => {
  // The lab answers as registries do, which includes what they do wrong.
  const own = sources.filter(({ folder }) => folder !== 'lab');
  const files = (pattern: RegExp) => own.filter(({ code }) => pattern.test(code)).map(({ file }) => file);
  t.strictSame(files(/\.writeHead\(/), ['src/http/write-answer.ts'], 'it knows when a body may follow');
  t.strictSame(files(/uncaughtException|unhandledRejection/), ['src/cli/serve/escaped-error.ts']);
});

// Timers whose callbacks cannot throw, or whose exceptions end what they serve in another way (rule 12). Each says why.
const PLAIN_TIMERS: Record<string, string> = {
  'src/acme/acme-keeper.ts': 'calls what has the boundary, or resolves a promise',
  'src/acme/acme-order.ts': 'rejects a promise',
  'src/app/runtime.ts': 'calls what has the boundary',
  'src/digest/digest-check.ts': 'its owner is a transfer, which has a boundary',
  'src/digest/hash-job.ts': 'its owner is a transfer, which has a boundary',
  'src/peer/followers.ts': 'resolves a promise',
  'src/peer/peers.ts': 'calls what has the boundary',
  'src/proxy/endpoints/download.ts': 'aborts a signal',
  'src/proxy/pull/attempt-deadline.ts': 'aborts a signal',
  'src/proxy/pull/corrupt-copy-scrubber.ts': 'aborts a signal',
  'src/proxy/pull/race.ts': 'calls what has the boundary of its race',
  'src/proxy/push/canary-check.ts': 'resolves a promise',
  'src/proxy/push/forwarder.ts': 'ends the push, whose own stages have a boundary',
  'src/proxy/push/push.ts': 'resolves a promise',
  'src/proxy/reply/end-response.ts': 'closes a stream or socket',
  'src/replication/copy/blob-source.ts': 'aborts a signal',
  'src/replication/copy/known-content.ts': 'resolves a promise',
  'src/replication/copy/upload-timeout.ts': 'aborts a signal',
  'src/replication/registry/abort-link.ts': 'aborts a signal',
  'src/replication/task-queue.ts': 'calls what has the boundary',
  'src/server/drain.ts': 'calls what has the boundary',
  'src/server/edge-answer.ts': 'destroys a socket',
  'src/server/file-watch.ts': 'calls what has the boundary',
  'src/server/proxy-header-read.ts': 'calls what has the boundary of its connection',
  'src/server/unix-socket.ts': 'settles a promise',
  'src/splice/running-leg.ts': 'destroys a source',
  'src/splice/throughput.ts': 'calls what has the boundary of its transfer',
  'src/upstream/credentials/credential-watch.ts': 'calls what has the boundary',
  'src/upstream/credentials/renewed-user.ts': 'calls what has the boundary',
  'src/upstream/health/canary-reads.ts': 'aborts a signal',
  'src/upstream/loop-delay.ts': 'adds numbers',
  'src/upstream/health/prober.ts': 'calls what has the boundary',
  'src/upstream/health/unconfirmed-failures.ts': 'calls what has the boundary',
  'src/upstream/reader/http1-body.ts': 'delivers to a sink, which has the boundary of its transfer',
  'src/upstream/reader/http1-connection.ts': 'ends its connection',
  'src/upstream/resolver.ts': 'of timers/promises, which has no callback',
};

t.test('timers have a boundary', async (t) => {
  const own = sources.filter(({ folder }) => folder !== 'lab' && folder !== 'cli' && folder !== 'http');
  // Comments and types are not calls; a call with a boundary names it first. `wait` and `setTimeout` of timers/promises reject.
  const call =
    /\b(setInterval|setImmediate|queueMicrotask|setTimeout)\((?!\s*(bounded|inBackground)\(|ms\b|resolve\b|\.\.\.)/;
  const plain = own.filter(({ code }) => call.test(code)).map(({ file }) => file);
  t.strictSame(
    plain.filter((file) => !(file in PLAIN_TIMERS)),
    [],
    'a timer of its own is a decision',
  );
  t.strictSame(
    Object.keys(PLAIN_TIMERS).filter((file) => !plain.includes(file)),
    [],
    'the list names no file in vain',
  );
});

t.test('whatever src/ loads is installed with a published package', async (t) => {
  const { dependencies }: { dependencies: Record<string, string> } = JSON.parse(
    readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
  );
  const loaded = sources.flatMap(({ imports }) =>
    imports.filter(({ specifier, typeOnly }) => !typeOnly && !/^(\.|node:)/.test(specifier)),
  );
  const packages = new Set(loaded.map(({ specifier }) => /^(@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier));
  t.strictSame([...packages].filter((name) => !(name in dependencies)).sort(), []);
});

t.test('no script is overwritten by a source of the same name when the package is built', async (t) => {
  const files = readdirSync(new URL('../src', import.meta.url), { recursive: true, encoding: 'utf8' });
  const scripts = files.filter((file) => file.endsWith('.js'));
  t.ok(scripts.length > 1, 'there are scripts to look at');
  t.strictSame(
    scripts.filter((file) => files.includes(file.replace(/js$/, 'ts'))),
    [],
  );
});

t.test('only a command ends the process', async (t) => {
  // A negative number is the group of a program that Breakwater has started.
  for (const { file, folder, code } of sources)
    if (folder !== 'cli') t.notMatch(code, /process\.(exit|abort|kill(?!\(-)|reallyExit)\b/, file);
});

t.test('files have one noun and a name that says it', async (t) => {
  for (const { file, text, code } of sources) {
    t.notMatch(
      file,
      /(^|\/)(index|utils?|helpers?|common|misc|shared)(\.ts|\/)/,
      `${file}: a name that says something`,
    );
    t.notMatch(code, /^export\s+(type\s+)?(\*|\{[^}]*\})\s*(as\s+\w+\s+)?from\b/m, `${file}: exports its own`);
    t.ok(text.split('\n').length <= 401, `${file}: at most 400 lines`);
  }
  const lengths = sources.map(({ text }) => text.split('\n').length).sort((a, b) => a - b);
  t.comment(`median length of a file in src/: ${lengths[Math.floor(lengths.length / 2)]} lines`);
  for (const { file, text } of readSources('test/helpers'))
    t.ok(text.split('\n').length <= 401, `${file}: at most 400 lines`);
});

t.test('the words of the design, and no synonyms', async (t) => {
  for (const { file, folder, code } of sources) {
    t.notMatch(code, /backend/i, `${file}: an upstream is an upstream`);
    // `layers` is a field of an OCI manifest, and media types have the word in them; the lab makes both. One is a key of registries.conf.
    const words = code
      .replace(/\blayers\b|additional-layer-store-auth-helper/g, '')
      .replace(/application\/vnd\.[\w.+-]+/g, '');
    if (folder !== 'lab') t.notMatch(words, /layer/i, `${file}: a blob is a blob`);
  }
});

t.test('an LRUCache grows as it fills', async (t) => {
  // `max` makes room for all entries at once: 50,000 are 2 MB and 4 ms, for each edge and each of its caches.
  for (const { file, code } of sources) {
    for (const [made] of code.matchAll(/new LRUCache\b[^;]*?\{[^}]*\}/g))
      t.notMatch(made, /\bmax:/, `${file}: maxSize with sizeCalculation in place of max`);
  }
});
