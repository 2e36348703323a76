import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A file that the status page loads. */
export interface PageFile {
  contentType: string;
  body: string;
}

const NAMES = ['page.css', 'page.js', 'elements.js', 'upstream-panel.js', 'replication-panel.js'];

/** Style sheet and scripts of the status page by path. They are read once, so that an upgrade of a running edge does not mix versions. */
export const PAGE_FILES: ReadonlyMap<string, PageFile> = new Map(
  NAMES.map((name) => [
    `/${name}`,
    {
      contentType: `text/${name.endsWith('.css') ? 'css' : 'javascript'}; charset=utf-8`,
      body: readFileSync(join(import.meta.dirname, name), 'utf8'),
    },
  ]),
);
