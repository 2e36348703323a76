import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Docker } from '../helpers/docker.ts';
import type { Owner } from '../helpers/temporary-folder.ts';
import { missing } from '../helpers/tool.ts';
import { Recording } from './recording.ts';
import { statusPicture } from './status-page.ts';
import { terminalSvg } from './terminal-svg.ts';

// Makes the pictures of the README. In the moving one a real dockerd pulls a large image through the lab, whose primary freezes meanwhile;
// the other one is the status page of a lab whose primary is frozen.
const root = join(import.meta.dirname, '../..');
const CLIENT = { title: 'a terminal', columns: 112, rows: 9 };
const LAB = { title: 'breakwater lab: harbor is the primary, gcr the fallback', columns: 112, rows: 9 };
const IMAGE = 'localhost:5443/library/big';
/** The last frame stays for so many milliseconds. */
const HOLD = 6000;

/** Which pictures, by name; all of them if none is named: `npm run picture -- status.png`. */
const PICTURES: Record<string, { programs: string[]; make: () => Promise<string | Buffer> }> = {
  'lab.svg': { programs: ['tmux', 'docker', 'dockerd'], make: record },
  'status.png': { programs: ['chromium'], make: async () => (await statusPicture(owner)).png },
};

const cleaners: (() => unknown)[] = [];
const owner: Owner = { teardown: (clean) => cleaners.push(clean) };
const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(PICTURES);
try {
  mkdirSync(join(root, 'docs/images'), { recursive: true });
  for (const name of names) await make(name);
} finally {
  for (const clean of cleaners.reverse()) await clean();
}

async function make(name: string): Promise<void> {
  const picture = PICTURES[name];
  if (!picture) throw new Error(`there is no picture ${name}, only ${Object.keys(PICTURES).join(', ')}`);
  const lacking = missing(...picture.programs);
  if (lacking) throw new Error(`${name} cannot be made: ${lacking}`);
  const content = await picture.make();
  writeFileSync(join(root, 'docs/images', name), content);
  console.log(`docs/images/${name}: ${content.length} bytes`);
}

async function record(): Promise<string> {
  const docker = await new Docker(owner).start();
  const recording = new Recording(owner);
  const shell = { DOCKER_HOST: docker.address };
  await recording.open({ name: 'client', ...CLIENT, command: `env 'PS1=$ ' bash --norc --noprofile`, env: shell });
  await recording.open({ name: 'lab', ...LAB, command: join(root, 'bin/breakwater lab'), env: {} });
  await recording.shows('lab', /compared the two upstreams/);
  // A download of 8 s; one of a moment could not be interrupted.
  await fetch('http://localhost:9444/harbor/slow', { method: 'POST' });
  await recording.press('lab', 'C-l');
  await recording.press('client', 'C-l');
  await sleep(500);

  recording.start();
  const captions = [{ at: 0, text: 'An image is pulled through Breakwater.' }];
  const began = performance.now();
  const printWrapped = (text: string) => captions.push({ at: performance.now() - began, text });
  await sleep(800);
  await recording.type('client', `docker pull ${IMAGE}`);
  await recording.shows('client', /Downloading[^\n]*MB\/32/, 20_000);
  await sleep(1800);
  await recording.type('lab', 'harbor frozen on');
  printWrapped('The primary freezes in the middle of the download.');
  await recording.shows('lab', /\(stall\)/);
  printWrapped('The download resumes on the fallback, in the same response.');
  await recording.shows('client', /Status: Downloaded newer image/);
  await sleep(1500);
  printWrapped('The primary is still frozen. The pull succeeded.');
  await sleep(500);
  const { frames, length } = await recording.stop();
  return terminalSvg({
    frames,
    length,
    hold: HOLD,
    windows: [CLIENT, LAB],
    captions,
    description:
      'docker pull goes on while the primary registry is frozen: Breakwater resumes the download on the fallback.',
  });
}
