import { readFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { terminalSvg } from './terminal-svg.ts';

const frames = [
  {
    at: 0,
    windows: [
      ['$ ', ''],
      ['lab>', ''],
    ],
  },
  {
    at: 1000,
    windows: [
      ['$ pull <big>', ''],
      ['lab>', ''],
    ],
  },
  {
    at: 2000,
    windows: [
      ['$ pull <big>', '\u001b[32mdone\u001b[39m & well'],
      ['lab>', ''],
    ],
  },
];
const window = { title: 'a & b', columns: 20, rows: 2 };
const svg = terminalSvg({
  frames,
  length: 3000,
  hold: 1000,
  windows: [window, window],
  captions: [
    { at: 0, text: 'first' },
    { at: 2500, text: 'last' },
  ],
  description: 'what it shows',
});

/** What an image in a README may not have, and what no XML may have. */
function checkImage(t: Test, text: string): void {
  t.notMatch(text, /<script|<image|<foreignObject|href=|url\(|@import|\son\w+=/i, 'neither scripts nor other files');
  t.match(text, /<title>[^<]{10,}<\/title>/, 'a description');
  for (const [tag] of text.matchAll(/<[a-z][^>]*>/g)) {
    const names = [...tag.matchAll(/\s([\w:]+)=/g)].map(([, name]) => name);
    t.equal(new Set(names).size, names.length, tag);
  }
  t.notMatch(text, /&(?!amp;|lt;|gt;)/, 'what is special is escaped');
}

/** Percent of the animation at which a text is shown and hidden; without an animation it is always there. */
function shown(text: string): [number, number] {
  const [, name = ''] = new RegExp(`<text [^>]*?(k\\d+)?"?>(?:<tspan[^>]*>)?${text}`).exec(svg) ?? [];
  const [, body = ''] = new RegExp(`@keyframes ${name}\\{(.*?)\\}\\}`).exec(svg) ?? [];
  const [, from = '0'] = /0%\{opacity:0\}([\d.]+)%/.exec(body) ?? [];
  const [, to = '100'] = /([\d.]+)%,to\{opacity:0/.exec(body) ?? [];
  return name === '' ? [0, 100] : [Number(from), Number(to)];
}

t.test('each line is there from the moment it was seen until it changed', async (t) => {
  t.strictSame(shown('\\$ pull &lt;big&gt;'), [25, 100]);
  t.strictSame(shown('done'), [50, 100]);
  t.strictSame(shown('lab&gt;'), [0, 100]);
  t.strictSame(shown('first'), [0, 62.5]);
  t.strictSame(shown('last'), [62.5, 100]);
  t.match(svg, '<tspan class="g">done</tspan> &amp; well', 'in its colours');
  checkImage(t, svg);
});

t.test('without motion the end is shown', async (t) => {
  t.match(svg, /prefers-reduced-motion:reduce\)\{text\{animation:none!important\}\}/);
  t.equal(svg.match(/\.k\d+\{opacity:0;/g)?.length, 2, 'what is gone by then is hidden: the first prompt and caption');
});

t.test('the picture of the README', async (t) => {
  const picture = readFileSync(new URL('../../docs/images/lab.svg', import.meta.url), 'utf8');
  checkImage(t, picture);
  t.ok(picture.length < 100_000, `${picture.length} bytes`);
  t.match(picture, /docker pull localhost:5443\/library\/big/);
  t.match(picture, /Status: Downloaded newer image/);
});
