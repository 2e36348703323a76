import t from 'tap';
import { advice } from '../../src/lab/advice.ts';
import { FAULT_NAMES } from '../../src/lab/fault.ts';
import { menuText, readMenu } from '../../src/lab/menu.ts';

const REGISTRIES = ['harbor', 'gcr'];

t.test('what is typed', async (t) => {
  const on = { kind: 'switch', registry: 'harbor', fault: 'frozen', on: true, parameters: {} };
  const rows: [string, object][] = [
    ['harbor frozen on', on],
    ['  Harbor   FROZEN  ', on],
    ['harbor frozen off', { ...on, on: false }],
    ['gcr storage-gone on', { ...on, registry: 'gcr', fault: 'storageGone' }],
    ['harbor off', { ...on, fault: undefined, on: false }],
    [
      'gcr cut on bytes=10 times=1 kind=blob',
      { ...on, registry: 'gcr', fault: 'cut', parameters: { bytes: 10, times: 1, kind: 'blob' } },
    ],
    ['gcr errors on path=a=b', { ...on, registry: 'gcr', fault: 'errors', parameters: { path: 'a=b' } }],
    ['status', { kind: 'word', word: 'status' }],
    ['?', { kind: 'word', word: 'help' }],
    ['QUIT', { kind: 'word', word: 'quit' }],
    ['', { kind: 'nothing' }],
    ['   ', { kind: 'nothing' }],
  ];
  for (const [line, choice] of rows) t.strictSame(readMenu(line, REGISTRIES), choice, `"${line}"`);
});

t.test('what cannot be meant', async (t) => {
  const rows: [string, RegExp][] = [
    ['quay frozen on', /"quay" is neither a registry \(harbor, gcr\)/],
    ['toString', /neither a registry/],
    ['harbor', /is no fault; there are down, frozen/],
    ['harbor tired on', /"tired" is no fault/],
    ['harbor frozen maybe', /say "harbor frozen on" or/],
    ['harbor frozen off times=1', /say "harbor frozen on" or/],
    ['harbor cut on bites=1', /cut takes .*bytes.*bites/],
    ['harbor cut on bytes', /cut takes/],
    ['harbor down on times=1', /down takes no parameters/],
  ];
  for (const [line, message] of rows) t.match(readMenu(line, REGISTRIES), { kind: 'mistake', message }, `"${line}"`);
});

t.test('every fault is in the menu, and has something to try', async (t) => {
  for (const name of FAULT_NAMES) {
    t.match(menuText(REGISTRIES), new RegExp(`^ {2}${name} +\\S`, 'm'), name);
    for (const side of ['primary', 'fallback'] as const) t.match(advice(name, true, side), /^(Try|Expected): /, name);
  }
  t.match(advice(undefined, false, 'primary'), /hold-down/);
});
