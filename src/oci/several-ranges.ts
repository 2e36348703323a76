import type { ByteRange } from './range.ts';

/** The first and the last byte of a part of a blob, both inclusive. */
export interface Span {
  first: number;
  last: number;
}

/** Parts of a reply, in order, that one range of an upstream brings. Bytes between them are read and dropped. */
export interface SpanGroup extends Span {
  parts: Span[];
}

/** Podman asks for at most 1,024 parts of a layer in one request. */
export const MAX_PARTS = 1024;
/** A gap below so many bytes costs less to read than another request. */
const MAX_GAP = 65_536;
/** Reads beyond those that ranges in order can need: a small blob in many ranges out of order is an attack (RFC 9110 section 14.2). */
const MORE_READS = 16;

/**
 * The range to ask for first. Its answer tells the length of the blob, which suffixes and open ends depend on. If it cannot be
 * satisfied, none of the ranges can.
 */
export function firstRange(ranges: readonly ByteRange[]): ByteRange {
  const spans: Span[] = [];
  for (const { first, last } of ranges) {
    // Every blob that has a byte satisfies a suffix.
    if (first === undefined) return { first: undefined, last: 1 };
    spans.push({ first, last: last ?? Number.POSITIVE_INFINITY });
  }
  const lowest = Math.min(...spans.map(({ first }) => first));
  const [group] = groupSpans(spans);
  if (group?.first !== lowest) return { first: lowest, last: lowest };
  return { first: lowest, last: Number.isFinite(group.last) ? group.last : undefined };
}

/**
 * The reads that bring all parts, in the order of the ranges. Ranges beyond the end of the blob are left out.
 * @returns undefined if they have more bytes than the whole blob, or need more reads than such a blob is worth
 */
export function planReads(ranges: readonly ByteRange[], total: number): SpanGroup[] | undefined {
  const spans = ranges.map((range) => spanOf(range, total)).filter(({ first }) => first < total);
  const groups = groupSpans(spans);
  const bytes = groups.reduce((sum, { first, last }) => sum + last - first + 1, 0);
  return bytes > total || groups.length > total / MAX_GAP + MORE_READS ? undefined : groups;
}

function spanOf({ first, last }: ByteRange, total: number): Span {
  if (first === undefined) return { first: Math.max(0, total - Number(last)), last: total - 1 };
  return { first, last: Math.min(last ?? total, total - 1) };
}

/** Spans that follow each other closely are one group. Each part stays what was asked for: clients count on one part for each range. */
function groupSpans(spans: readonly Span[]): SpanGroup[] {
  const groups: SpanGroup[] = [];
  for (const span of spans) {
    const group = groups.at(-1);
    const gap = group ? span.first - group.last - 1 : -1;
    if (group && gap >= 0 && gap < MAX_GAP) {
      group.parts.push(span);
      group.last = span.last;
    } else {
      groups.push({ ...span, parts: [span] });
    }
  }
  return groups;
}
