import type { Snapshot } from '../snapshot/snapshot.ts';

/** Headers of the page. The page runs only scripts of this listener, sends requests only to this listener, and scripts make no markup. */
export const PAGE_HEADERS: Readonly<Record<string, string>> = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; '),
  // With no-referrer the browser would send no Origin with the form that logs out.
  'referrer-policy': 'same-origin',
};

/**
 * The status page. The page holds a snapshot as JSON. The script draws the snapshot as text, never as markup, and then reads a new one
 * from `/api/status` every two seconds. Without JavaScript the page still shows the headline.
 * @param session whether the browser has logged in, and can log out
 */
export function renderPage(snapshot: Snapshot, session: boolean): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(snapshot.hostname)} · Breakwater</title>
<link rel="icon" id="icon" href="data:,">
<link rel="stylesheet" href="/page.css">
<script type="module" src="/page.js"></script>
</head>
<body>
<header>
<h1>${escapeHtml(snapshot.hostname)}</h1>
<p id="edge"></p>
</header>
<main>
<section id="headline" class="${snapshot.headline.level}" role="status" aria-live="polite">
${snapshot.headline.lines.map((line) => `<p>${escapeHtml(line)}</p>`).join('\n')}
</section>
<section><h2>Upstreams</h2><div id="upstreams"></div></section>
<section><h2>Routes</h2><div class="panel wide"><table><thead><tr><th>Repositories</th><th>Pulls try, in this order</th><th>Pushes go to</th><th>If not found</th></tr></thead><tbody id="routes"></tbody></table></div></section>
<section id="replication" hidden><h2>Replication</h2><div id="copy-routes"></div><p id="copying" class="reason"></p></section>
<section id="tags" hidden><h2>Tags served with a warning</h2><div id="tag-list"></div></section>
<section id="peers" hidden><h2>Other edges of this site</h2><div id="peer-list"></div></section>
<section><h2>Recent failovers</h2><div id="failovers"></div></section>
<section><h2>Since the edge started</h2><div id="figures" class="panel"></div><p id="stores" class="reason"></p></section>
<noscript><p>Without JavaScript this page shows only the headline. <a href="/api/status">/api/status</a> has everything else.</p></noscript>
</main>
<footer><a href="/api/status">/api/status</a> <a href="/api/coverage">/api/coverage</a> <a href="/metrics">/metrics</a> <span id="fresh"></span>${session ? LOG_OUT : ''}</footer>
<script type="application/json" id="snapshot">${escapeJson(snapshot)}</script>
</body>
</html>
`;
}

const LOG_OUT = '<form method="post" action="/logout"><button type="submit">Log out</button></form>';

export function escapeHtml(text: string): string {
  const names: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
  return text.replace(/[&<>"']/g, (character) => names[character] ?? character);
}

/** JSON that cannot close the script element around it. */
function escapeJson(content: unknown): string {
  return JSON.stringify(content).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
