import { type Document, isMap, isNode, isPair, LineCounter, parseDocument } from 'yaml';
import { ConfigError, type Finding } from './config-error.ts';
import { type KeyFinding, type KeyPath, keyText } from './key-path.ts';

/** Anchors are useful, bombs of them are not. */
const MAX_ALIASES = 100;
const MAX_BYTES = 4_194_304;

/** A YAML document that still knows where everything stands. */
export class YamlSource {
  readonly #file: string;
  readonly #document: Document;
  readonly #lines: LineCounter;

  /** @throws ConfigError if it is no YAML */
  constructor(text: string, file: string) {
    this.#file = file;
    this.#lines = new LineCounter();
    if (text.length > MAX_BYTES)
      throw new ConfigError([{ file, line: 1, column: 1, key: '', message: `longer than ${MAX_BYTES} bytes` }]);
    this.#document = parseDocument(text, { lineCounter: this.#lines, uniqueKeys: true, prettyErrors: false });
    const findings = this.#document.errors.map((error) => this.#at(error.pos[0], '', error.message));
    if (findings.length > 0) throw new ConfigError(findings);
  }

  /** The document as plain values. */
  value(): unknown {
    try {
      return this.#document.toJS({ maxAliasCount: MAX_ALIASES });
    } catch (error) {
      throw new ConfigError([this.#at(0, '', error instanceof Error ? error.message : String(error))]);
    }
  }

  /** Gives a finding its line and column: those of the value, or of the nearest key above it. */
  locate({ path, message, remedy, atKey }: KeyFinding): Finding {
    const finding = this.#at(this.#offset(path, atKey === true), keyText(path), message);
    return remedy === undefined ? finding : { ...finding, remedy };
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
