import { type Directive, flatten, named } from '../syntax/directive.ts';
import type { Notes } from './notes.ts';

/**
 * Servers of `stream` blocks as servers of HTTP: TLS that is passed on by name (SNI) becomes one server for each name, and TCP that is passed
 * on one server without a name.
 * @returns directives that belong into `http`
 */
export function serversOfStreams(roots: readonly Directive[], notes: Notes): Directive[] {
  const streams = named(flatten(roots), 'stream').map((one) => flatten(one.block ?? []));
  return streams.flatMap((stream) => [
    ...named(stream, 'upstream'),
    ...named(stream, 'server').flatMap((server) => serversOf(server, stream, notes)),
  ]);
}

function serversOf(server: Directive, stream: readonly Directive[], notes: Notes): Directive[] {
  const block = flatten(server.block ?? []);
  const [pass] = named(block, 'proxy_pass');
  const listens = named(block, 'listen').filter(({ args }) => !args.includes('udp'));
  if (!pass || listens.length === 0) return [];
  const by = chosenBy(pass, stream);
  const text =
    'Breakwater ends TLS where nginx passed it on: only so it sees requests, and can fail over. Give it a certificate for the name.';
  notes.record(pass, 'taken', text);
  notes.remember(
    'The stream block passed TLS on. Breakwater needs the certificate of the name itself: put it into tls.',
  );
  return by.map(({ names, to, at }) => {
    const make = (name: string, args: string[], inside?: Directive[]): Directive => ({
      name,
      args,
      file: at.file,
      line: at.line,
      ...(inside ? { block: inside } : {}),
    });
    const isTls = named(block, 'ssl_preread').length > 0 || /:?(443|8443|5443)$/.test(listens[0]?.args[0] ?? '');
    const scheme = isTls || /:(443|8443)$/.test(to) ? 'https' : 'http';
    return make(
      'server',
      [],
      [
        ...listens.map((one) => ({
          ...one,
          args: [...one.args.filter((arg) => arg !== 'ssl'), ...(isTls ? ['ssl'] : [])],
        })),
        ...named(block, 'proxy_connect_timeout'),
        make('server_name', names),
        make('location', ['/v2/'], [make('proxy_pass', [`${scheme}://${to}`])]),
      ],
    );
  });
}

/** Where connections go: to one place, or by a `map` of names. */
function chosenBy(pass: Directive, stream: readonly Directive[]): { names: string[]; to: string; at: Directive }[] {
  const [to = ''] = pass.args;
  const map = to.startsWith('$') ? named(stream, 'map').find(({ args }) => args[1] === to) : undefined;
  if (!map) return to.includes('$') ? [] : [{ names: [], to, at: pass }];
  const entries = flatten(map.block ?? []).filter(({ name }) => !['default', 'hostnames', 'volatile'].includes(name));
  return entries
    .filter(({ name, args }) => !name.startsWith('~') && args[0] !== '')
    .map((at) => ({ names: [at.name], to: at.args[0] ?? '', at }));
}
