import type { Snapshot } from '../snapshot/snapshot.ts';
import { escapeHtml, htmlHeaders, htmlPage } from './html-page.ts';

/** Headers of the page. The page runs only scripts of this listener, sends requests only to this listener, and scripts make no markup. */
export const PAGE_HEADERS: Readonly<Record<string, string>> = htmlHeaders(
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
);

/**
 * The status page. The page holds a snapshot as JSON. The script draws the snapshot as text, never as markup, and then reads a new one
 * from `/api/status` every two seconds. Without JavaScript the page still shows the headline.
 * @param session whether the browser has logged in, and can log out
 */
export function renderPage(snapshot: Snapshot, session: boolean): string {
  const head = `<link rel="stylesheet" href="/page.css">
<script type="module" src="/page.js"></script>`;
  const body = `<header>
<h1>${escapeHtml(snapshot.hostname)}</h1>
<p id="edge"></p>
</header>
<main>
<section id="headline" class="${snapshot.headline.level}" role="status" aria-live="polite">
${snapshot.headline.lines.map((line) => `<p>${escapeHtml(line)}</p>`).join('\n')}
</section>
<section><h2>Upstreams</h2><div id="upstreams"></div></section>
<section><h2>Routes</h2><div id="routes"></div></section>
<section id="replication" hidden><h2>Replication</h2><div id="copy-routes"></div><p id="copying" class="reason"></p></section>
<section id="tags" hidden><h2>Tags served with a warning</h2><div id="tag-list"></div></section>
<section id="peers" hidden><h2>Other edges of this site</h2><div id="peer-list"></div></section>
<section><h2>Recent failovers</h2><div id="failovers"></div></section>
<section><h2>Since the edge started</h2><div id="figures" class="panel"></div><p id="stores" class="reason"></p></section>
<noscript><p>Without JavaScript this page shows only the headline. <a href="/api/status">/api/status</a> has everything else.</p></noscript>
</main>
<footer><a href="/api/status">/api/status</a> <a href="/api/coverage">/api/coverage</a> <a href="/metrics">/metrics</a> <span id="fresh"></span>${session ? LOG_OUT : ''}</footer>
<script type="application/json" id="snapshot">${escapeJson(snapshot)}</script>`;
  return htmlPage(snapshot.hostname, head, body);
}

const LOG_OUT = '<form method="post" action="/logout"><button type="submit">Log out</button></form>';

/** JSON that cannot close the script element around it. */
function escapeJson(content: unknown): string {
  return JSON.stringify(content).replaceAll('<', '\\u003c');
}
