import { PassThrough, Writable } from 'node:stream';
import t from 'tap';
import { TerminalPrompt } from '../../../src/cli/init/terminal-prompt.ts';

/** A terminal, and a person who answers each question at the moment at which it is shown. */
class FakeTerminal {
  readonly input = Object.assign(new PassThrough(), {
    setRawMode: (isRaw: boolean) => {
      this.#isRaw = isRaw;
    },
  });
  readonly output = new Writable({
    write: (chunk, _encoding, done) => {
      this.shown += String(chunk);
      const typed = /: $/.test(this.shown) ? this.#answers.shift() : undefined;
      if (typed !== undefined) {
        // The terminal itself shows what is typed before that.
        if (!this.#isRaw) this.shown += typed;
        setImmediate(() => this.input.write(`${typed}\r`));
      }
      done();
    },
  });
  shown = '';
  #isRaw = false;
  readonly #answers: string[];

  constructor(answers: readonly string[]) {
    this.#answers = [...answers];
  }
}

t.test('spaces around an answer do not count, but those of a password do', async (t) => {
  const terminal = new FakeTerminal(['  cr.example.io ', '  pass word  ']);
  const prompt = new TerminalPrompt(terminal.input, terminal.output);
  t.teardown(() => prompt.close());
  t.equal(await prompt.ask('Hostname: '), 'cr.example.io');
  t.equal(await prompt.askHidden('Password: '), '  pass word  ');
  t.match(terminal.shown, /Hostname: .*cr\.example\.io/s);
  t.notMatch(terminal.shown, /word {2}/);
});

t.test('a first question that is hidden shows nothing of what comes at once', async (t) => {
  const terminal = new FakeTerminal(['secret', 'secret']);
  const prompt = new TerminalPrompt(terminal.input, terminal.output);
  t.teardown(() => prompt.close());
  t.equal(await prompt.askHidden('Password: '), 'secret');
  t.equal(await prompt.askHidden('Repeat it: '), 'secret');
  t.equal(terminal.shown, 'Password: \nRepeat it: \n');
});
