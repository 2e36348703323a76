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
        [8, 200],
        [2, 200],
        [2, 200],
      ],
      [1, 4, 7],
    ],
  ];
  for (const [name, states, releases] of rows) t.same(await looks(states), releases, name);
});
