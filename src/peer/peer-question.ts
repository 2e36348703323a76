import { randomBytes } from 'node:crypto';
import { isIP } from 'node:net';
import { monotonicNow } from '../clock/clock.ts';
import type { PeerSight } from '../failover/vip-eligibility.ts';
import type { Resolver } from '../upstream/resolver.ts';
import { HeardSight } from './heard-sight.ts';
import { PeerClient } from './peer-client.ts';
import { PEER_VERSION } from './peer-message.ts';
import { PeerSealer } from './peer-sealer.ts';

/** What one question to another edge has shown. */
export type PeerAnswered =
  /** `status`: of an answer that is not sealed with a key of this edge. */
  | { kind: 'stranger'; status: number }
  | { kind: 'silent'; reason: string }
  /** Without a sight it is of an earlier release. */
  | { kind: 'edge'; release: string | undefined; clockAheadMs: number | undefined; sight: PeerSight | undefined };

/**
 * Asks the edge at an address once, as `check` does. Never rejects.
 * @param secrets of `keyFile`, the current one first
 */
export async function askPeerOnce(
  address: string,
  { hostname, secrets, resolver }: { hostname: string; secrets: readonly Buffer[]; resolver: Resolver },
): Promise<PeerAnswered> {
  const sealer = new PeerSealer(secrets);
  const client = new PeerClient({ address, hostname, resolver });
  const nonce = randomBytes(16).toString('base64url');
  try {
    const sealed = await sealer.seal({ v: PEER_VERSION, kind: 'question', nonce, known: {} });
    const asked = monotonicNow();
    const text = await client.ask(sealed);
    if (typeof text !== 'string') return { kind: 'stranger', status: text.status };
    const answer = await sealer.openAnswer(text);
    if (answer?.nonce !== nonce) return { kind: 'stranger', status: 200 };
    const heard = new HeardSight(new URL(address).host);
    heard.take(answer.node, answer.sight, asked, monotonicNow(), false);
    const { release, clockAheadMs, current: sight } = heard;
    return { kind: 'edge', release, clockAheadMs, sight };
  } catch (error) {
    return { kind: 'silent', reason: error instanceof Error ? error.message : String(error) };
  } finally {
    void client.close().catch(() => undefined);
  }
}

/** The addresses that a URL of `peers` stands for, each as a URL. @throws Error if its name does not resolve */
export async function peerAddresses(text: string, resolver: Pick<Resolver, 'addresses'>): Promise<string[]> {
  const name = new URL(text).hostname.replace(/^\[|\]$/g, '');
  const found = isIP(name) ? [{ address: name }] : await resolver.addresses(name);
  return found.map(({ address }) => {
    const one = new URL(text);
    one.hostname = address.includes(':') ? `[${address}]` : address;
    return one.origin;
  });
}
