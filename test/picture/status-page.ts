import { LabLog } from '../../src/cli/lab/lab-log.ts';
import { startLabSite } from '../../src/cli/lab/lab-site.ts';
import { TourClient } from '../../src/cli/lab/tour-client.ts';
import { Chromium } from '../helpers/chromium.ts';
import type { Owner } from '../helpers/temporary-folder.ts';
import { timeLimit } from '../helpers/time-limit.ts';
import { until } from '../helpers/until.ts';

/** Pixels of the picture. It shows the page down to its replication; what follows are counts. */
export const STATUS_SIZE = { width: 1100, height: 950 };

/** The status page of a lab whose primary has frozen, as a browser shows it: the picture, and the text in it. */
export async function statusPicture(owner: Owner): Promise<{ png: Buffer; text: string }> {
  const log = new LabLog(() => undefined);
  const ports = { https: 0, admin: 0, control: 0 };
  const site = await startLabSite({ ports, log, onTaken: () => undefined, onSwitch: () => undefined });
  owner.teardown(() => site.stop());
  const { https, admin } = site.app.addresses();
  const client = new TourClient(https.port);
  await client.push('library/app');
  await until(() => site.registries.gcr.store.manifest('example-project/app', 'latest'));
  await until(async () => (await site.coverage()).verdict === 'covered');
  await site.registries.harbor.faults.on('frozen');
  await client.pull('library/hello');
  const isDown = () => site.app.status().upstreams.some(({ name, state }) => name === 'harbor' && state === 'down');
  await log.until(isDown, AbortSignal.timeout(timeLimit(30_000)));

  const browser = await Chromium.start(owner, STATUS_SIZE.width);
  await browser.open(`http://127.0.0.1:${admin.port}/`);
  let text = '';
  const shows = async () => {
    text = await browser.text();
    // The page comes with its headline; its script adds the rest.
    return /Upstreams\s.*harbor.*down.*Recent failovers\s.*library\/hello/is.test(text);
  };
  await until(shows, { what: () => `harbor to be shown as down:\n${text}` });
  return { png: await browser.picture(STATUS_SIZE.height), text };
}
