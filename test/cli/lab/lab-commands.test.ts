import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { installedClient } from '../../../src/cli/lab/lab-commands.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { missing, tool } from '../../helpers/tool.ts';
import { pasteCommands } from './pasted-commands.ts';

t.test('the client is one that can be used here', async (t) => {
  const folder = temporaryFolder(t);
  const socket = join(folder, 'docker.sock');
  const PATH = join(folder, 'bin');
  mkdirSync(PATH);
  const install = (name: string) => symlinkSync(tool('sh'), join(PATH, name));
  const client = (env = {}, platform: NodeJS.Platform = 'linux') => installedClient({ PATH, ...env }, platform);
  t.equal(client(), 'curl');
  install('skopeo');
  t.equal(client(), 'skopeo');
  install('podman');
  t.equal(client(), 'podman');
  t.equal(client({}, 'darwin'), 'skopeo', 'elsewhere podman runs in a virtual machine');
  install('docker');
  t.equal(client({ DOCKER_HOST: `unix://${socket}` }), 'podman', 'no daemon');
  writeFileSync(socket, '');
  t.equal(client({ DOCKER_HOST: `unix://${socket}` }), 'docker');
  t.equal(client({ DOCKER_HOST: 'tcp://elsewhere:2375' }), 'podman', 'localhost is another machine there');
  t.equal(client({ PATH: '' }), 'curl');
});

/** An environment in which podman uses nothing of this machine's own images. */
function podmanOfItsOwn(t: Test): NodeJS.ProcessEnv {
  const folder = temporaryFolder(t);
  const write = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const storage = `[storage]\ndriver = "vfs"\nrunroot = "${folder}/run"\ngraphroot = "${folder}/root"\n`;
  const engine = `[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "none"\nruntime = "runc"\ntmp_dir = "${folder}/tmp"\n`;
  return {
    CONTAINERS_STORAGE_CONF: write('storage.conf', storage),
    CONTAINERS_CONF: write('containers.conf', engine),
  };
}

t.test('the commands for podman, pasted one after the other', { skip: missing('podman') }, async (t) => {
  await pasteCommands(t, 'podman', podmanOfItsOwn(t));
});

t.test('the commands for skopeo, pasted one after the other', { skip: missing('skopeo') }, async (t) => {
  await pasteCommands(t, 'skopeo', {});
});

t.test('the commands for curl, pasted one after the other', { skip: missing('curl', 'openssl') }, async (t) => {
  await pasteCommands(t, 'curl', {});
});
