import type { Followed } from './follow-page.ts';

const BEGIN = '<!-- measured: npm run quickstart -- --record -->';
const END = '<!-- end of what was measured -->';
/** Time in which a person reads what belongs to one command, puts own names into it, and pastes it. */
const READING_S = 30;
const WIDTH = 140;

/** What a run of the page took, in words for it. */
export function measuredText(followed: readonly Followed[], day: string): string {
  const seconds = followed.reduce((sum, { took }) => sum + took, 0) / 1000;
  const minutes = Math.ceil((seconds + followed.length * READING_S) / 60);
  const [slowest] = followed.toSorted((a, b) => b.took - a.took);
  const sentences = [
    `The ${followed.length} commands took ${Math.ceil(seconds)} seconds together, when a test followed this page on ${day}.`,
    `The slowest one took ${Math.ceil((slowest?.took ?? 0) / 1000)} seconds.`,
    `A person who takes ${READING_S} seconds for each of them needs about ${minutes} minutes.`,
    'The test uses real clients in new namespaces, on a machine with two cores.',
    'A model of Harbor and a model of Artifact Registry, with a real registry behind it, are the registries.',
    'The packages of npm were there before. The two accounts at the registries come in addition.',
  ];
  return wrapped(sentences.join(' '));
}

function wrapped(text: string): string {
  const lines = [''];
  for (const word of text.split(' ')) {
    const line = lines.at(-1) ?? '';
    if (line.length + word.length < WIDTH) lines[lines.length - 1] = line === '' ? word : `${line} ${word}`;
    else lines.push(word);
  }
  return lines.join('\n');
}

/** What the page says that it takes. @throws Error if its marks are missing */
export function measuredPart(page: string): string {
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`the page has no lines ${BEGIN} and ${END}`);
  return page.slice(begin + BEGIN.length, end).trim();
}

/** The page with other words about what it takes. */
export function withMeasured(page: string, text: string): string {
  measuredPart(page);
  return `${page.slice(0, page.indexOf(BEGIN) + BEGIN.length)}\n${text}\n${page.slice(page.indexOf(END))}`;
}
