import { networkInterfaces } from 'node:os';
import { inspectFile, type Loaded } from '../../config/load.ts';
import { UNIX } from '../../config/network.ts';
import { askPeerOnce, peerAddresses } from '../../peer/peer-question.ts';
import type { Resolver } from '../../upstream/resolver.ts';
import { registryIdentity } from '../../upstream/upstream.ts';
import { type PeerContext, peerFindings, silentNameFinding } from './peer-findings.ts';
import type { CheckFinding } from './reachability.ts';

/** Most addresses that are asked. */
const MAX_ASKED = 64;

/** Asks each edge of `peers` whether it knows this one. */
export async function checkPeers(loaded: Loaded, resolver: Resolver): Promise<CheckFinding[]> {
  const { config, material, path } = loaded;
  if (config.peers.length === 0) return [];
  const { locate } = await inspectFile(path);
  const places = config.peers.map((_, index) => {
    const { line, column, key } = locate({ path: ['peers', index], message: '' });
    return `${path}:${line}:${column} ${key}`;
  });
  const context: PeerContext = {
    keyFile: config.keyFile ?? '',
    registries: new Map(Object.entries(config.upstreams).map(([name, { urls }]) => [registryIdentity(urls), name])),
  };
  const ask = { hostname: config.hostname, secrets: material.keys, resolver };
  const findings = config.peers.map(async (url, index): Promise<CheckFinding[]> => {
    const place = places[index] ?? path;
    const addresses = await peerAddresses(url, resolver).catch((error: Error) => error);
    if (addresses instanceof Error) return [silentNameFinding(place, url, addresses.message)];
    const asked = addresses.slice(0, MAX_ASKED).map(async (address) => {
      const subject = `${place} (${address})`;
      if (isThisNode(address, config.listen.https)) return [itselfFinding(subject)];
      return peerFindings(subject, await askPeerOnce(address, ask), context);
    });
    return (await Promise.all(asked)).flat();
  });
  return (await Promise.all(findings)).flat();
}

function itselfFinding(subject: string): CheckFinding {
  return { level: 'ok', subject, message: 'it is the address of this node, which the edge skips' };
}

/** Whether an edge with this configuration listens there, now or once it has started. */
function isThisNode(address: string, https: string): boolean {
  if (https.startsWith(UNIX)) return false;
  const url = new URL(address);
  const port = https.slice(https.lastIndexOf(':') + 1);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const own = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
  return (url.port || '443') === port && own.some((one) => one.address === host);
}
