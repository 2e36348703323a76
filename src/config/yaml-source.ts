import { type Document, isMap, isNode, isPair, LineCounter, parseDocument, visit, type YAMLError } from 'yaml';
import { ConfigError, type Finding } from './config-error.ts';
import { type KeyFinding, type KeyPath, keyText } from './key-path.ts';

/** Aliases are allowed, but not as many as a "billion laughs" document has. */
const MAX_ALIASES = 100;

/** Replaces messages of the library that would quote a secret, or that only programmers understand. */
const MESSAGES: Partial<Record<YAMLError['code'], string>> = {
  MULTIPLE_DOCS: 'a second document begins here; expected one',
  NON_STRING_KEY: 'a list or map stands where a key should; expected text',
  TAG_RESOLVE_FAILED: 'an unknown tag; text that begins with "!" needs quotes',
  UNEXPECTED_TOKEN: 'this does not belong here; expected the next key or the end of the value',
  BAD_SCALAR_START: 'text that begins with this character needs quotes',
};

/** A YAML document that knows the position of every node. */
export class YamlSource {
  readonly #file: string;
  readonly #document: Document;
  readonly #lines: LineCounter;

  /** @throws ConfigError if the text is no YAML */
  constructor(text: string, file: string) {
    this.#file = file;
    this.#lines = new LineCounter();
    this.#document = parseDocument(text, {
      lineCounter: this.#lines,
      uniqueKeys: true,
      stringKeys: true,
      prettyErrors: false,
    });
    const troubles = [...this.#document.errors, ...this.#document.warnings];
    const findings = troubles.map((one) => this.#at(one.pos[0], '', MESSAGES[one.code] ?? one.message));
    if (findings.length === 0) findings.push(...this.#unusable());
    if (findings.length > 0) throw new ConfigError(findings);
  }

  /** The document as plain values. @throws ConfigError if its aliases expand too far */
  value(): unknown {
    try {
      return this.#document.toJS({ maxAliasCount: MAX_ALIASES });
    } catch (error) {
      if (!(error instanceof ReferenceError)) throw error;
      throw new ConfigError([this.#at(0, '', `aliases expand too far; expected at most ${MAX_ALIASES} values`)]);
    }
  }

  /** Adds line and column: those of the value, or of the nearest key above it. */
  locate({ path, message, remedy, atKey }: KeyFinding): Finding {
    const finding = this.#at(this.#offset(path, atKey === true), keyText(path), message);
    return remedy === undefined ? finding : { ...finding, remedy };
  }

  /** Valid YAML that has no plain values. */
  #unusable(): Finding[] {
    const findings: Finding[] = [];
    visit(this.#document, {
      Alias: (_, alias) => {
        if (alias.resolve(this.#document) === undefined)
          findings.push(
            this.#at(alias.range?.[0] ?? 0, '', 'this alias has no anchor; text that begins with "*" needs quotes'),
          );
      },
      Pair: (_, pair) => {
        if (isNode(pair.key) && String(pair.key) === '__proto__')
          findings.push(this.#at(pair.key.range?.[0] ?? 0, '', '"__proto__" cannot be a key'));
      },
    });
    return findings;
  }

  #offset(path: KeyPath, atKey: boolean): number {
    for (let length = path.length; length > 0; length -= 1) {
      const place = atKey && length === path.length ? this.#keyOffset(path) : this.#valueOffset(path.slice(0, length));
      if (place !== undefined) return place;
    }
    return 0;
  }

  #valueOffset(path: KeyPath): number | undefined {
    const node = this.#document.getIn(path, true);
    return isNode(node) ? node.range?.[0] : undefined;
  }

  #keyOffset(path: KeyPath): number | undefined {
    const parent = path.length > 1 ? this.#document.getIn(path.slice(0, -1), true) : this.#document.contents;
    if (!isMap(parent)) return undefined;
    const pair = parent.items.find(
      (item) => isPair(item) && isNode(item.key) && String(item.key) === String(path.at(-1)),
    );
    return pair && isNode(pair.key) ? pair.key.range?.[0] : undefined;
  }

  #at(offset: number, key: string, message: string): Finding {
    const { line, col } = this.#lines.linePos(offset);
    return { file: this.#file, line: Math.max(line, 1), column: Math.max(col, 1), key, message };
  }
}
