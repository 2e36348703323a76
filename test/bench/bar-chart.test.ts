import t from 'tap';
import { type BarChart, drawBars } from '../../bench/report/bar-chart.ts';

const CHART: BarChart = {
  name: 'blobs',
  title: 'Speed & <ratio>',
  unit: 'MB/s',
  groups: [
    {
      label: '1 download',
      bars: [
        { series: 'edge', value: 1000, note: '1000' },
        { series: 'nginx', value: 500, note: '500' },
      ],
    },
    { label: '8 downloads', bars: [{ series: 'edge', value: Number.NaN, note: 'missing' }] },
  ],
};

t.test('bars are as long as their values, and a series has one colour', async (t) => {
  const bars = [...drawBars(CHART).matchAll(/<rect x="\d+" y="\d+" width="([\d.]+)" height="11" fill="(#\w+)"/g)];
  const [edge, nginx, missing] = bars.map((match) => ({ width: Number(match[1]), colour: match[2] }));
  t.equal(bars.length, 3);
  t.equal(edge?.width, 2 * (nginx?.width ?? 0));
  t.equal(missing?.width, 0, 'nothing is drawn for what is missing');
  t.equal(edge?.colour, missing?.colour);
  t.not(edge?.colour, nginx?.colour);
});

t.test('it is well-formed, whatever the words', async (t) => {
  const svg = drawBars(CHART);
  t.match(svg, 'Speed &#38; &#60;ratio&#62;');
  t.notMatch(svg, /NaN|Infinity|undefined/);
  for (const name of ['text', 'title', 'style', 'svg']) {
    const opened = svg.match(new RegExp(`<${name}[ >]`, 'g'))?.length;
    t.equal(opened, svg.match(new RegExp(`</${name}>`, 'g'))?.length, name);
  }
});

t.test('nothing but what is missing is a drawing too', async (t) => {
  const [group] = CHART.groups.slice(1);
  t.notMatch(drawBars({ ...CHART, groups: group ? [group] : [] }), /NaN|Infinity|undefined/);
  t.notMatch(drawBars({ ...CHART, groups: [] }), /NaN|Infinity|undefined/);
});
