import { FAULT_NAMES, FAULTS, type FaultInput, type FaultName, faultNamed, readFaultParameters } from './fault.ts';

export type MenuWord = 'tour' | 'status' | 'coverage' | 'help' | 'quit';

/** What was typed at the lab's prompt. */
export type MenuChoice =
  /** Without a fault: all of them, off. */
  | { kind: 'switch'; registry: string; fault: FaultName | undefined; on: boolean; parameters: FaultInput }
  | { kind: 'word'; word: MenuWord }
  | { kind: 'nothing' }
  | { kind: 'mistake'; message: string };

const WORDS: Record<string, MenuWord> = {
  tour: 'tour',
  status: 'status',
  s: 'status',
  coverage: 'coverage',
  help: 'help',
  '?': 'help',
  quit: 'quit',
  exit: 'quit',
  q: 'quit',
};

/** Reads `harbor frozen on`, `gcr cut on bytes=1000 times=1`, `harbor off`, `status`, `help` or `quit`. */
export function readMenu(line: string, registries: readonly string[]): MenuChoice {
  const [first = '', second = '', ...rest] = line.trim().split(/\s+/);
  if (first === '') return { kind: 'nothing' };
  const word = Object.hasOwn(WORDS, first.toLowerCase()) ? WORDS[first.toLowerCase()] : undefined;
  if (word && second === '') return { kind: 'word', word };
  const registry = registries.find((name) => name === first.toLowerCase());
  if (!registry)
    return mistake(
      `"${first}" is neither a registry (${registries.join(', ')}) nor tour, status, coverage, help or quit`,
    );
  if (second === 'off' && rest.length === 0) return off(registry, undefined);
  const fault = faultNamed(second);
  if (!fault) return mistake(`"${second}" is no fault; there are ${FAULT_NAMES.join(', ')}`);
  return readSwitch(registry, fault, rest);
}

function readSwitch(registry: string, fault: FaultName, words: string[]): MenuChoice {
  const [state = 'on', ...pairs] = words;
  if (state === 'off' && pairs.length === 0) return off(registry, fault);
  if (state !== 'on') return mistake(`say "${registry} ${fault} on" or "${registry} ${fault} off"`);
  const parameters = Object.fromEntries(pairs.map(readPair));
  try {
    readFaultParameters(fault, parameters);
  } catch (error) {
    if (error instanceof RangeError) return mistake(error.message);
    throw error;
  }
  return { kind: 'switch', registry, fault, on: true, parameters };
}

function off(registry: string, fault: FaultName | undefined): MenuChoice {
  return { kind: 'switch', registry, fault, on: false, parameters: {} };
}

function readPair(pair: string): [string, string | number] {
  const equals = pair.indexOf('=');
  const value = equals < 0 ? '' : pair.slice(equals + 1);
  const number = /^-?\d+(\.\d+)?$/.test(value);
  return [equals < 0 ? pair : pair.slice(0, equals), number ? Number(value) : value];
}

function mistake(message: string): MenuChoice {
  return { kind: 'mistake', message };
}

/** The menu as text. */
export function menuText(registries: readonly string[]): string {
  const width = Math.max(...FAULT_NAMES.map((name) => name.length));
  return [
    'Type, and press Enter:',
    '  tour                   shows in a minute what happens when harbor freezes',
    '  status                 what the edge knows, and which faults are on',
    '  coverage               what could be pulled if harbor died now',
    `  REGISTRY FAULT on|off  REGISTRY is ${registries.join(' or ')}; parameters follow as key=value`,
    '  REGISTRY off           switches all faults of a registry off',
    '  help, quit',
    'Faults:',
    ...FAULT_NAMES.map((name) => `  ${name.padEnd(width)}  ${FAULTS[name].says}`),
  ].join('\n');
}
