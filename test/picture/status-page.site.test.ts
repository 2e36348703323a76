import { readFileSync } from 'node:fs';
import t from 'tap';
import { missing } from '../helpers/tool.ts';
import { STATUS_SIZE, statusPicture } from './status-page.ts';

/** Pixels, as the header of a PNG has them. */
function sizeOf(png: Buffer): { width: number; height: number } {
  t.equal(png.subarray(1, 4).toString(), 'PNG');
  return { width: png.readUInt32BE(16), height: png.readUInt32BE(20) };
}

t.test('a browser shows what the status page knows of an outage', { skip: missing('chromium') }, async (t) => {
  const { png, text } = await statusPicture(t);
  t.match(text, /Pulls are served by gcr\. harbor has been down since/);
  t.match(text, /Pushes to harbor have been refused since/);
  t.match(text, /100 %/, 'coverage');
  t.strictSame(sizeOf(png), STATUS_SIZE);
  t.ok(png.length > 60_000, `there is more on it than a headline: ${png.length} bytes`);
});

t.test('the picture of the README', async (t) => {
  const png = readFileSync(new URL('../../docs/images/status.png', import.meta.url));
  t.strictSame(sizeOf(png), STATUS_SIZE);
  t.ok(png.length < 150_000, `${png.length} bytes`);
});
