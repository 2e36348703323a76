import t from 'tap';
import { LabLog } from '../../../src/cli/lab/lab-log.ts';
import { startLabSite } from '../../../src/cli/lab/lab-site.ts';
import { LabTour } from '../../../src/cli/lab/lab-tour.ts';
import { tryCommand } from '../../helpers/command.ts';
import { ANY, BIN } from './lab-process.ts';

t.test('the tour keeps its promises', async (t) => {
  const { status, stdout } = await tryCommand(BIN, ['lab', '--tour', ...ANY], { timeout: 110_000 });
  t.equal(status, 0, stdout);
  t.strictSame(
    stdout.match(/^\d\/\d/gm),
    [1, 2, 3, 4, 5, 6].map((step) => `${step}/6`),
  );
  t.equal(stdout.match(/^ {4}ok /gm)?.length, 6, 'every step says what was seen');
  t.match(stdout, /32\.0 MB arrived in one response, and the digest is right/);
  t.match(stdout, /harbor broke off near \d+\.\d MB \(stall\), resumed on gcr/, 'the log of the edge proves it');
  t.match(stdout, /DENIED: pushes are refused since/);
  t.match(stdout, /all of 4 tags could be pulled/);
  t.match(stdout, /All 6 steps did what they promise\.\n$/, 'nothing comes after the result');
});

t.test('a step that does not go as promised is told, and the next ones are made', async (t) => {
  const log = new LabLog(() => undefined);
  const ports = { https: 0, admin: 0, control: 0 };
  const site = await startLabSite({ ports, log, onTaken: () => undefined, onSwitch: () => undefined });
  t.teardown(() => site.stop());
  const { store } = site.registries.gcr;
  const { layers } = JSON.parse(store.manifest('example-project/hello', 'latest')?.manifest.bytes.toString() ?? '');
  store.removeBlob('example-project/hello', layers[0].digest);
  const lines: string[] = [];
  t.equal(await new LabTour({ site, log, print: (line) => lines.push(line), pause: 0 }).run(), false);
  const text = lines.join('\n');
  t.match(text, /^3\/6 .*\n {4}FAILED {2}the edge answered 503: /m);
  t.match(text, /1 of 6 steps FAILED/);
  t.strictSame(site.registries.harbor.faults.active, [], 'no fault is left on');
});
