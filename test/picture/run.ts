import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Docker } from '../helpers/docker.ts';
import type { Owner } from '../helpers/temporary-folder.ts';
import { missing } from '../helpers/tool.ts';
import { Recording } from './recording.ts';
import { terminalSvg } from './terminal-svg.ts';

// Records the moving picture of the README: a real dockerd pulls a large image through the lab, whose primary freezes meanwhile.
const root = join(import.meta.dirname, '../..');
const CLIENT = { title: 'a terminal', columns: 112, rows: 9 };
const LAB = { title: 'breakwater lab: harbor is the primary, gcr the fallback', columns: 112, rows: 9 };
const IMAGE = 'localhost:5443/library/big';
/** The last frame stays for so many milliseconds. */
const HOLD = 6000;

const lacking = missing('tmux', 'docker', 'dockerd');
if (lacking) throw new Error(`the picture cannot be recorded: ${lacking}`);

const cleaners: (() => unknown)[] = [];
const owner: Owner = { teardown: (clean) => cleaners.push(clean) };
try {
  const svg = await record();
  mkdirSync(join(root, 'docs/images'), { recursive: true });
  writeFileSync(join(root, 'docs/images/lab.svg'), svg);
  console.log(`docs/images/lab.svg: ${svg.length} bytes`);
} finally {
  for (const clean of cleaners.reverse()) await clean();
}

async function record(): Promise<string> {
  const docker = await new Docker(owner).start();
  const recording = new Recording(owner);
  const shell = { DOCKER_HOST: docker.address };
  await recording.open({ name: 'client', ...CLIENT, command: `env 'PS1=$ ' bash --norc --noprofile`, env: shell });
  await recording.open({ name: 'lab', ...LAB, command: join(root, 'bin/breakwater lab'), env: {} });
  await recording.shows('lab', /compared both sides/);
  // A download of 8 s; one of a moment could not be interrupted.
  await fetch('http://localhost:9444/harbor/slow', { method: 'POST' });
  await recording.press('lab', 'C-l');
  await recording.press('client', 'C-l');
  await sleep(500);

  recording.start();
  const captions = [{ at: 0, text: 'An image is pulled through Breakwater.' }];
  const began = performance.now();
  const say = (text: string) => captions.push({ at: performance.now() - began, text });
  await sleep(800);
  await recording.type('client', `docker pull ${IMAGE}`);
  await recording.shows('client', /Downloading[^\n]*MB\/32/, 20_000);
  await sleep(1800);
  await recording.type('lab', 'harbor frozen on');
  say('The primary freezes in the middle of the download.');
  await recording.shows('lab', /gcr went on|gcr resumed/);
  say('The download resumes on the fallback, in the same response.');
  await recording.shows('client', /Status: Downloaded newer image/);
  await sleep(1500);
  say('The primary is still frozen. The pull succeeded.');
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
