import { command } from './command.ts';

/**
 * Runs a line of JavaScript in a process that has no descriptor left. Whatever escapes ends that process, and fails the test.
 * @param imports what it needs, by the path of its module
 * @returns what the line awaits to: a value, or the message of an error
 */
export async function withoutDescriptors(imports: Record<string, string>, line: string): Promise<string> {
  const code = `
    import { closeSync, openSync } from 'node:fs';
    ${Object.entries(imports)
      .map(([name, path]) => `import { ${name} } from ${JSON.stringify(path)};`)
      .join('\n')}
    const held = [];
    try {
      for (;;) held.push(openSync('/dev/null'));
    } catch {}
    const result = await (async () => ${line})().catch(({ message }) => message);
    // Timers of a run that is over must do nothing.
    await new Promise((resolve) => setTimeout(resolve, 300));
    for (const one of held) closeSync(one);
    console.log(result);`;
  const node = [process.execPath, '--disable-warning=ExperimentalWarning', '--input-type=module', '-e', code];
  const { stdout } = await command('/bin/sh', ['-c', 'ulimit -n 100; exec "$@"', 'sh', ...node]);
  return stdout.trim();
}
