import t from 'tap';
import { KeyRing } from '../../src/auth/key-ring.ts';
import { Sealer } from '../../src/proxy/request/sealer.ts';

const [OLD, NEW] = ['the secret of last year that is long enough', 'the secret of this year that is long enough'].map(
  (text) => Buffer.from(text),
) as [Buffer, Buffer];

t.test('the first makes, all open; purposes have keys of their own', async (t) => {
  const ring = new KeyRing([NEW, OLD], 'one');
  const content = { a: 1 };
  t.same(await new KeyRing([NEW], 'one').open(await ring.seal(content)), content, 'also on the other edge');
  t.same(await ring.open(await new KeyRing([OLD], 'one').seal(content)), content);
  t.equal(await ring.open(await new KeyRing([OLD], 'two').seal(content)), undefined);
  t.equal(await new KeyRing([OLD], 'one').open(await ring.seal(content)), undefined);
  t.throws(() => new KeyRing([], 'one'), /needs a secret/);
});

t.test('a secret is replaced on one edge of a pair after the other, and no upload is lost', async (t) => {
  const content = { kind: 'upload' as const, upstream: 'harbor', url: 'http://a', repository: 'library/a', path: '/x' };
  const steps = [
    [[OLD], [OLD, NEW]],
    [
      [OLD, NEW],
      [NEW, OLD],
    ],
    [[NEW, OLD], [NEW]],
  ];
  for (const [one = [], other = []] of steps) {
    const [first, second] = [new Sealer(one), new Sealer(other)];
    if (other.length > 1 || one.length === 1) t.match(await second.open(await first.seal(content), 'upload'), content);
    if (one.length > 1) t.match(await first.open(await second.seal(content), 'upload'), content);
  }
  t.equal(await new Sealer([NEW]).open(await new Sealer([OLD]).seal(content), 'upload'), undefined);
});
