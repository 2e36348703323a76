import { mock } from 'node:test';
import t from 'tap';
import { MemoryRelease } from '../../../src/cli/serve/memory-release.ts';

/** Looks at a process with these loads and resident bytes, one after the other. @returns at which looks memory was released */
async function looks(states: [load: number, residentBytes: number, left?: number][]): Promise<number[]> {
  const releases: number[] = [];
  let [load, residentBytes, left] = [0, 0, 0];
  let at = 0;
  const memory = new MemoryRelease({
    load: () => load,
    residentBytes: () => residentBytes,
    trimBuffers: () => undefined,
    release: async () => {
      releases.push(at);
      residentBytes = left;
    },
  });
  for (const state of states) {
    [load, residentBytes, left = residentBytes] = state;
    await memory.look();
    at += 1;
  }
  return releases;
}

t.test('memory is released once the load has fallen', async (t) => {
  const rows: [string, [number, number, number?][], number[]][] = [
    [
      'what the start leaves behind',
      [
        [0, 140],
        [0, 140, 110],
        [0, 111],
      ],
      [1],
    ],
    [
      'after a rush',
      [
        [0, 110],
        [0, 110],
        [500, 300],
        [400, 300],
        [100, 300],
        [0, 300, 120],
        [0, 121],
      ],
      [1, 5],
    ],
    [
      'a moment without load is no quiet time',
      [
        [0, 110],
        [0, 110],
        [500, 300],
        [0, 300],
        [400, 300],
        [0, 300],
        [0, 300],
      ],
      [1, 6],
    ],
    [
      'when much of the load has gone',
      [
        [0, 110],
        [0, 110],
        [400, 300],
        [101, 300],
        [101, 300],
        [100, 300],
        [100, 300],
      ],
      [1, 6],
    ],
    [
      'not under a steady load',
      [
        [0, 110],
        [0, 110],
        [40, 200],
        [40, 220],
        [39, 240],
        [41, 260],
      ],
      [1],
    ],
    [
      'not for a little growth',
      [
        [0, 110],
        [0, 110],
        [40, 118],
        [0, 118],
        [0, 118],
        [0, 118],
      ],
      [1],
    ],
    [
      'not again and again in vain',
      [
        [0, 110],
        [0, 110],
        [40, 300],
        [0, 300],
        [0, 300, 290],
        [0, 300],
        [0, 310],
      ],
      [1, 4],
    ],
    [
      'the next rush counts anew',
      [
        [0, 110],
        [0, 110],
        [500, 300],
        [0, 300],
        [0, 300, 110],
        [80, 200],
        [20, 200],
        [20, 200],
      ],
      [1, 4, 7],
    ],
    [
      'not after a few requests at once',
      [
        [0, 110],
        [0, 110],
        [4, 200],
        [0, 200],
        [1, 200],
        [0, 200],
      ],
      [1],
    ],
  ];
  for (const [name, states, releases] of rows) t.same(await looks(states), releases, name);
});

t.test('when the system does not tell the resident bytes, the next look tries again', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.teardown(() => mock.timers.reset());
  let looks = 0;
  const memory = new MemoryRelease({
    load: () => 0,
    trimBuffers: () => undefined,
    residentBytes: () => {
      looks += 1;
      throw Object.assign(new Error('too many open files'), { code: 'EMFILE' });
    },
    release: async () => undefined,
  });
  memory.start();
  for (let look = 0; look < 4; look += 1) {
    mock.timers.tick(5_000);
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.equal(looks, 3, 'at every look but the first');
  memory.close();
});
