import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { putImageSet } from '../../helpers/image-set.ts';
import { Program } from '../../helpers/program.ts';
import { startRegistry } from '../../helpers/registry.ts';
import { tagsOf, type Walked, walkRegistry } from '../../helpers/registry-walk.ts';
import { type Owner, temporaryFolder } from '../../helpers/temporary-folder.ts';
import { TagWatcher } from './tag-watcher.ts';

export interface CrashOptions {
  rounds: number;
  images: number;
  random?: () => number;
  /** Told of each round. */
  onRound?: (round: CrashRound) => void;
}

export interface CrashRound {
  number: number;
  /** Milliseconds after the beginning of the copy. */
  killedAfter: number;
  /** Tags that stood on the target at that moment, of how many. */
  tags: number;
  of: number;
  /** What was wrong, in words. */
  problems: string[];
}

/**
 * Kills a process that copies all images between two real registries at a random moment and starts it again, each round on an empty
 * part of the target, while a watcher looks all the time whether a tag names missing content.
 */
export async function crashRounds(owner: Owner, options: CrashOptions): Promise<CrashRound[]> {
  const { rounds, images, random = Math.random, onRound } = options;
  const [source, target] = await Promise.all([startRegistry(owner), startRegistry(owner)]);
  await putImageSet(source.url, { images, layerBytes: 50_000, repositories: 6 });
  const folder = temporaryFolder(owner);
  const tags = [...(await tagsOf(source.url))].flatMap(([repository, names]) =>
    names.map((tag) => ({ repository, tag })),
  );
  const wanted = new Map<string, Walked['found']>();
  for (const { repository, tag } of tags)
    wanted.set(`${repository}:${tag}`, (await walkRegistry(source.url, repository, tag)).found);
  const copy = async (prefix: string): Promise<Program> => {
    const program = new Program(owner, {
      command: process.execPath,
      args: [join(import.meta.dirname, 'copy-process.ts'), source.url, target.url, prefix],
      logFile: join(folder, `${prefix}.log`),
    });
    program.start();
    await program.waitForLog(/^begins$/m);
    return program;
  };
  // How long it takes when nothing happens to it: among these moments one is chosen.
  const began = performance.now();
  await (await copy('whole')).ended();
  const whole = performance.now() - began;
  const done: CrashRound[] = [];
  for (let number = 1; number <= rounds; number += 1) {
    const prefix = `round${number}`;
    const there = tags.map(({ repository, tag }) => ({ repository: `${prefix}/${repository}`, tag }));
    const watcher = new TagWatcher(target.url, there);
    const killedAfter = random() * whole;
    const program = await copy(prefix);
    watcher.start();
    await delay(killedAfter);
    await program.kill();
    const seen = watcher.seen.size;
    const ended = await (await copy(prefix)).ended();
    await watcher.stop();
    const problems = [...watcher.found, ...(ended === 0 ? [] : [`the second run ended with ${ended}`])];
    for (const { repository, tag } of tags) {
      const here = await walkRegistry(source.url, repository, tag);
      const copied = await walkRegistry(target.url, `${prefix}/${repository}`, tag);
      const same = [...here.found].every(([digest, what]) => copied.found.get(digest) === what);
      if (!same || copied.missing.length > 0)
        problems.push(`${prefix}/${repository}:${tag} is not the same in the end`);
    }
    const round = { number, killedAfter, tags: seen, of: tags.length, problems };
    onRound?.(round);
    done.push(round);
  }
  return done;
}
