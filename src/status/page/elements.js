/**
 * The elements of the status page. They set text and never parse markup, because names of repositories and reasons come from clients and
 * upstreams.
 * @typedef {'' | 'well' | 'degraded' | 'failing' | 'quiet'} Level
 */

/** The level of each state of a URL, a canary or a breaker. @type {Record<string, Level>} */
export const LEVELS = {
  up: 'well',
  good: 'well',
  closed: 'well',
  unknown: 'quiet',
  none: 'degraded',
  'half-open': 'degraded',
  down: 'failing',
  failing: 'failing',
  open: 'failing',
};

/** @param {string} id of an element of the page */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the page has no element ${id}`);
  return element;
}

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {string} className empty: none
 * @param {(Node | string)[]} children
 */
export function el(tag, className, ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children);
  return node;
}

/** @param {string} text @param {Level} [level] */
export const pill = (text, level) => el('span', `pill ${level || 'quiet'}`, text);

/** @param {string} className @param {(Node | string)[]} children */
export const cell = (className, ...children) => el('td', className, ...children);

/** @param {Node[]} cells */
export const row = (...cells) => el('tr', '', ...cells);

/** @param {string} className @param {string[]} names of columns; a column of numbers begins with # @param {Node[]} rows */
export function table(className, names, rows) {
  const heads = names.map((name) => {
    const th = el('th', name.startsWith('#') ? 'number' : '', name.replace('#', ''));
    th.scope = 'col';
    return th;
  });
  const all = el('table', '', el('thead', '', row(...heads)), el('tbody', '', ...rows));
  return el('div', className, all);
}

/** A text whose tooltip is a moment. @param {string} iso ISO 8601 @param {string} text */
export function time(iso, text) {
  const node = el('time', '', text);
  node.dateTime = iso;
  node.title = iso;
  return node;
}

/** How long ago a moment was. @param {string} iso ISO 8601 @param {number} now epoch milliseconds */
export function ago(iso, now) {
  const seconds = Math.max(0, Math.round((now - Date.parse(iso)) / 1000));
  if (seconds < 90) return `${seconds} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 129600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} d`;
}

/** @param {number} number */
export const figure = (number) => number.toLocaleString('en');

/** @param {number} number @param {string} name @param {string} [names] plural; default: with an s */
export const count = (number, name, names = `${name}s`) => `${figure(number)} ${number === 1 ? name : names}`;

/** @param {number} number */
export const bytes = (number) => (number < 1e6 ? `${(number / 1e3).toFixed(0)} kB` : `${(number / 1e6).toFixed(1)} MB`);

/** A reason with its digests cut short. The tooltip has the whole text. @param {string} text */
export function reason(text) {
  const node = el('div', 'reason', text.replace(/(sha\d+:[0-9a-f]{12})[0-9a-f]+/g, '$1\u2026'));
  node.title = text;
  return node;
}

/** The name of a route; empty for the route of everything else. @param {{ registry?: string | undefined, prefix: string }} route */
export const routeName = ({ registry, prefix }) => (registry ? `${registry}/` : '') + prefix;
