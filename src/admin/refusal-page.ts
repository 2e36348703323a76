import { hash } from 'node:crypto';
import { type ErrorCode, OciError } from '../oci/error.ts';
import type { AdminAnswer } from '../status/admin.ts';
import { escapeHtml, htmlHeaders, htmlPage } from '../status/page/html-page.ts';
import { PAGE_FILES } from '../status/page/page-files.ts';

/** Why a request is not answered: as JSON for programs, as a page for browsers. */
export interface Refusal {
  status: number;
  code: ErrorCode;
  /** What stands above the message on the page. */
  title: string;
  message: string;
  /** A browser is offered to log in. */
  login?: boolean;
  headers?: Record<string, string>;
}

// The style sheet stands in the page: before the login no other path is answered.
const STYLE = PAGE_FILES.get('/page.css')?.body ?? '';
const HTML_HEADERS = htmlHeaders(`style-src 'sha256-${hash('sha256', STYLE, 'base64')}'`);

/** @param accept the Accept header: browsers name text/html in it */
export function refusalAnswer(refusal: Refusal, accept: string | undefined): AdminAnswer {
  const { status, code, message, headers = {} } = refusal;
  if (accept?.includes('text/html') === true)
    return { status, headers: { ...HTML_HEADERS, ...headers }, body: refusalPage(refusal) };
  const body = new OciError(code, message, { status }).body();
  return { status, headers: { 'content-type': 'application/json', ...headers }, body };
}

function refusalPage({ title, message, login }: Refusal): string {
  const body = `<main class="notice panel">
<h1>${escapeHtml(title)}</h1>
<p id="message">${escapeHtml(message)}</p>
${login ? LOGIN_FORM : ''}
</main>`;
  return htmlPage(title, `<style>${STYLE}</style>`, body);
}

// Password managers keep a password under a user name.
const LOGIN_FORM = `<form method="post" action="/login">
<input name="user" value="admin" autocomplete="username" hidden>
<label for="token">Token of the admin listener</label>
<input id="token" name="token" type="password" autocomplete="current-password" aria-describedby="message" required autofocus>
<button type="submit">Log in</button>
</form>`;
