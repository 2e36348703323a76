import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { ServiceManager } from '../../../src/cli/serve/service-manager.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';

/** A service manager whose systemd-notify is this script. */
function start(t: Test, script: string) {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'systemd-notify'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  const told = join(folder, 'told');
  writeFileSync(told, '');
  const logged: object[] = [];
  const log = { error: (fields: object, message: string) => logged.push({ ...fields, message }) };
  const environment = { PATH: `${folder}:/usr/bin:/bin`, HOME: folder, NOTIFY_SOCKET: '/run/notify', SECRET: 'x' };
  return {
    manager: new ServiceManager(environment, log),
    environment,
    log,
    logged,
    told: () => readFileSync(told, 'utf8'),
  };
}
const RECORD = `printf '%s|' "$NOTIFY_SOCKET" "\${SECRET:-}" "$@" >>"$HOME/told"; echo >>"$HOME/told"`;

t.test('states are told in order, with nothing of the environment but the socket', async (t) => {
  const { manager, told, logged } = start(t, RECORD);
  void manager.ready();
  void manager.reloading();
  void manager.reloaded('refused');
  void manager.reloading();
  void manager.reloaded('done');
  await manager.stopping(305_000);
  t.strictSame(told().split('\n'), [
    '/run/notify||READY=1|STATUS=Serving clients.|',
    '/run/notify||RELOADING=1|STATUS=Reading the configuration again.|',
    '/run/notify||READY=1|STATUS=Serving clients by the old configuration: the new one is refused, and the log says why.|',
    '/run/notify||RELOADING=1|STATUS=Reading the configuration again.|',
    '/run/notify||READY=1|STATUS=Serving clients.|',
    '/run/notify||STOPPING=1|STATUS=Stopping: transfers under way have at most 305 s.|EXTEND_TIMEOUT_USEC=305000000|',
    '',
  ]);
  t.strictSame(logged, []);
});

t.test('a reload says nothing before the start is over, nor after the stop began', async (t) => {
  const { manager, told } = start(t, RECORD);
  await manager.reloading();
  await manager.reloaded('done');
  t.equal(told(), '');
  await manager.ready();
  await manager.stopping(1);
  await manager.reloaded('done');
  t.match(told(), /^[^\n]*READY=1[^\n]*\n[^\n]*STOPPING=1[^\n]*\n$/);
});

t.test('a message that is not delivered is an error of the log, and nothing else', async (t) => {
  const { manager, logged, environment, log } = start(t, 'exit 3');
  await manager.ready();
  const unavailable = new ServiceManager({ ...environment, PATH: '/nowhere' }, log);
  await unavailable.ready();
  t.match(logged, [
    { variable: 'READY=1', reason: 'systemd-notify ended with 3', message: /could not be told/ },
    { variable: 'READY=1', reason: 'systemd-notify cannot be run: ENOENT', message: /Install systemd-notify/ },
  ]);
});

t.test('without a service manager nothing is run', async (t) => {
  const { environment, log, logged, told } = start(t, RECORD);
  const manager = new ServiceManager({ ...environment, NOTIFY_SOCKET: undefined }, log);
  await manager.ready();
  await manager.stopping(1);
  t.equal(told(), '');
  t.strictSame(logged, []);
});
