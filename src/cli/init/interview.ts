import { UsageError } from '../config-path.ts';
import { readPasswordFile } from './input-file.ts';
import type { Prompt } from './terminal-prompt.ts';

/** One thing that `init` has to know. */
export interface Question<T> {
  /** The option that answers it, such as `--hostname`. */
  flag: string;
  /** Value of the option. */
  given: string | undefined;
  text: string;
  /** Lines that are shown before the question. */
  help?: readonly string[];
  /** The usual answer. Undefined: there is none, so it must be answered. */
  usual?: string;
  /** @throws UsageError for an answer that cannot be used */
  parse: (text: string) => T | Promise<T>;
}

export interface SecretQuestion {
  /** The option with the name of a file. */
  flag: string;
  given: string | undefined;
  text: string;
  /** The secret is new, so it is asked for twice. */
  isNew?: boolean;
  /** A person is asked for a file, because nobody types such a secret. */
  isFile?: boolean;
  /** @throws UsageError for a secret that cannot be right; never with the secret in it */
  check?: (secret: string) => void;
}

/** Collects answers: from options, then from a person on a terminal, then the usual ones. */
export class Interview {
  readonly #prompt: Prompt | undefined;
  readonly #takesUsual: boolean;
  readonly #missing: string[] = [];

  /** @param takesUsual nobody is asked where there is a usual answer */
  constructor(prompt: Prompt | undefined, takesUsual: boolean) {
    this.#prompt = prompt;
    this.#takesUsual = takesUsual;
  }

  /** @returns undefined: there is no answer yet; `finish` tells */
  async answer<T>({ flag, given, text, help = [], usual, parse }: Question<T>): Promise<T | undefined> {
    if (given !== undefined) return parse(given);
    const isAsked = this.#prompt !== undefined && !(this.#takesUsual && usual !== undefined);
    if (isAsked) return this.#ask(text, help, usual, parse);
    if (usual !== undefined) return parse(usual);
    this.#missing.push(flag);
    return undefined;
  }

  /** A secret, from a file or typed without being shown. */
  async secret({ flag, given, text, isNew, isFile, check }: SecretQuestion): Promise<string | undefined> {
    const fromFile = async (name: string) => {
      const secret = await readPasswordFile(name, flag);
      check?.(secret);
      return secret;
    };
    if (given !== undefined) return fromFile(given);
    const prompt = this.#prompt;
    if (!prompt) {
      this.#missing.push(flag);
      return undefined;
    }
    if (isFile) return this.#ask(text, [], undefined, fromFile);
    for (;;) {
      const typed = await prompt.askHidden(`${text}: `);
      if (typed === '') prompt.print('It must not be empty.');
      else if (!isNew || (await prompt.askHidden('Repeat it: ')) === typed) return typed;
      else prompt.print('The two differ.');
    }
  }

  /** Asks a person for consent. @returns undefined: there is nobody to ask */
  async confirm(text: string): Promise<boolean | undefined> {
    if (!this.#prompt) return undefined;
    return /^y(es)?$/i.test(await this.#prompt.ask(`${text} [y/N] `));
  }

  /** @throws UsageError that names every option which is missing */
  finish(): void {
    if (this.#missing.length === 0) return;
    const options = this.#missing.join(', ');
    throw new UsageError(
      `there is no terminal to ask on, and these options are missing: ${options}. See breakwater init --help`,
    );
  }

  async #ask<T>(
    text: string,
    help: readonly string[],
    usual: string | undefined,
    parse: Question<T>['parse'],
  ): Promise<T> {
    const prompt = this.#prompt;
    if (!prompt) throw new UsageError(`${text}: there is no terminal to ask on`);
    for (const line of help) prompt.print(`  ${line}`);
    const hint = usual === undefined ? '' : ` [${usual === '' ? 'none' : usual}]`;
    for (;;) {
      const typed = await prompt.ask(`${text}${hint}: `);
      if (typed === '' && usual === undefined) continue;
      try {
        return await parse(typed === '' ? (usual ?? '') : typed);
      } catch (error) {
        if (!(error instanceof UsageError)) throw error;
        prompt.print(error.message);
      }
    }
  }
}
