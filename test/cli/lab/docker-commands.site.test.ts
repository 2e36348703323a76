import t from 'tap';
import { Docker } from '../../helpers/docker.ts';
import { missing } from '../../helpers/tool.ts';
import { pasteCommands } from './pasted-commands.ts';

t.test('the commands for docker, pasted one after the other', { skip: missing('docker', 'dockerd') }, async (t) => {
  const docker = await new Docker(t).start();
  await pasteCommands(t, 'docker', { DOCKER_HOST: docker.address });
});
