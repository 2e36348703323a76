import type { Directive } from '../syntax/directive.ts';
import type { Variables } from './variables.ts';

/** What the directives of the rewrite module make of a request. */
export type RewriteResult =
  | { kind: 'go-on'; isRewritten: boolean; inside?: Directive }
  | { kind: 'search-again' }
  | { kind: 'answer'; status: number; text: string; by: Directive }
  | { kind: 'unknown'; by: Directive };

/** Runs `set`, `rewrite`, `return`, `if` and `break` of one block, in their order. */
export function runRewrites(block: readonly Directive[], variables: Variables): RewriteResult {
  let isRewritten = false;
  let inside: Directive | undefined;
  for (const directive of block) {
    const [first = '', second = ''] = directive.args;
    switch (directive.name) {
      case 'set': {
        variables.used.add(directive);
        const value = variables.expand(second);
        // An unknown value is only a trouble where it is used.
        if (value !== undefined) variables.set(first, value);
        break;
      }
      case 'return':
        return answerOf(directive, variables);
      case 'break':
        return { kind: 'go-on', isRewritten, ...(inside ? { inside } : {}) };
      case 'rewrite': {
        const result = rewrite(directive, variables);
        if (result === 'break') return { kind: 'go-on', isRewritten: true, ...(inside ? { inside } : {}) };
        if (result === 'rewritten') isRewritten = true;
        else if (result !== 'no') return result;
        break;
      }
      case 'if': {
        const holds = condition(directive.args, variables);
        if (holds === undefined) return { kind: 'unknown', by: directive };
        if (!holds) break;
        variables.used.add(directive);
        const result = runRewrites(directive.block ?? [], variables);
        if (result.kind !== 'go-on') return result;
        isRewritten ||= result.isRewritten;
        inside = directive;
        break;
      }
    }
  }
  // A rewrite without a flag goes on to the end of the block, and then nginx looks for a location again.
  return isRewritten ? { kind: 'search-again' } : { kind: 'go-on', isRewritten: false, ...(inside ? { inside } : {}) };
}

function answerOf(directive: Directive, variables: Variables): RewriteResult {
  const [first = '', second = ''] = directive.args;
  variables.used.add(directive);
  const isUrl = !/^\d+$/.test(first);
  const text = variables.expand(isUrl ? first : second) ?? '';
  return { kind: 'answer', status: isUrl ? 302 : Number(first), text, by: directive };
}

function rewrite(directive: Directive, variables: Variables): 'no' | 'rewritten' | 'break' | RewriteResult {
  const [pattern = '', replacement = '', flag] = directive.args;
  const found = variables.matches(pattern, variables.path);
  if (found === undefined) return { kind: 'unknown', by: directive };
  if (!found) return 'no';
  variables.used.add(directive);
  const to = variables.expand(replacement);
  if (to === undefined) return { kind: 'unknown', by: directive };
  if (flag === 'redirect' || flag === 'permanent' || /^https?:\/\//.test(to))
    return { kind: 'answer', status: flag === 'permanent' ? 301 : 302, text: to, by: directive };
  variables.path = to.split('?', 1)[0] ?? '';
  if (flag === 'last') return { kind: 'search-again' };
  return flag === 'break' ? 'break' : 'rewritten';
}

/** Whether the condition of an `if` holds. Undefined: it cannot be told. */
function condition(args: readonly string[], variables: Variables): boolean | undefined {
  const words = args
    .join(' ')
    .replace(/^\(\s*/, '')
    .replace(/\s*\)$/, '');
  const [, left = '', operator = '', right = ''] = /^(\S+)(?:\s+(=|!=|~\*|~|!~\*|!~)\s*(.*))?$/s.exec(words) ?? [];
  // Files of nginx are not there for requests of the registry API.
  if (/^!?-[fdex]$/.test(left)) return left.startsWith('!');
  if (/^!?-[fdex]\s/.test(words)) return words.startsWith('!');
  const value = variables.expand(left);
  if (value === undefined) return undefined;
  if (operator === '') return value !== '' && value !== '0';
  if (operator === '=' || operator === '!=') {
    const other = variables.expand(right);
    return other === undefined ? undefined : (value === other) === (operator === '=');
  }
  const found = variables.matches(right, value, operator.endsWith('*'));
  return found === undefined ? undefined : found !== operator.startsWith('!');
}
