import t from 'tap';
import { KeyRing } from '../../src/auth/key-ring.ts';
import type { PeerQuestion } from '../../src/peer/peer-message.ts';
import { PeerSealer } from '../../src/peer/peer-sealer.ts';
import { PeerService } from '../../src/peer/peer-service.ts';
import type { SharedStore } from '../../src/peer/shared-store.ts';

const SECRET = Buffer.from('a secret of a pair that is long enough');
const OLD = Buffer.from('what the pair had in its file until now');
const NODE = 'node-node-node-node';
const NOW = 1_700_000_000_000;

/** Numbers from 1 to `head`. */
function numbers(head: number): SharedStore {
  return {
    name: 'numbers',
    head,
    since: (version, max) => {
      const next = Math.min(head, version + max);
      return { entries: Array.from({ length: next - version }, (_, index) => version + index + 1), next };
    },
    merge: () => 0,
  };
}

let count = 0;
function question(over: Partial<PeerQuestion> = {}): PeerQuestion {
  count += 1;
  return { v: 2, kind: 'question', nonce: `nonce-nonce-nonce-${count}`, known: {}, ...over };
}

const box = new PeerSealer([SECRET]);
const service = (head = 3, secrets = [SECRET]) =>
  new PeerService({ sealer: () => new PeerSealer(secrets), stores: [numbers(head)], node: NODE, now: () => NOW });

t.test('tells all at first, and then what is new, in pages', async (t) => {
  const asked = service(600);
  const ask = async (over: Partial<PeerQuestion> = {}) => {
    const sent = question(over);
    const text = await asked.answer(await box.seal(sent));
    const answer = await box.openAnswer(text ?? '');
    t.equal(answer?.nonce, sent.nonce);
    t.equal(answer?.now, NOW, 'the moment from which ages count');
    return { ...answer?.stores.numbers, count: answer?.stores.numbers?.entries.length };
  };
  t.match(await ask(), { count: 250, next: 250, more: true });
  t.match(await ask({ of: NODE, known: { numbers: 250 } }), { count: 250, next: 500, more: true });
  t.match(await ask({ of: NODE, known: { numbers: 500, others: 7 } }), { count: 100, next: 600, more: false });
  t.match(await ask({ of: NODE, known: { numbers: 600 } }), { count: 0, next: 600, more: false });
  t.match(await ask({ of: 'another-process-of-before', known: { numbers: 600 } }), { count: 250 }, 'after a restart');
});

t.test('answers nobody else', async (t) => {
  const sealed = await box.seal(question());
  const refused: Record<string, string> = {
    'another key': await new PeerSealer([OLD]).seal(question()),
    'a key for another purpose': await new KeyRing([SECRET], 'x').seal(question()),
    'changed on the way': `${sealed.slice(0, -4)}AAAA`,
    'an answer': await box.seal({ v: 2, kind: 'answer', nonce: 'nonce-nonce-nonce', node: NODE, now: NOW, stores: {} }),
    nothing: '',
    'of no token': 'x.y.z',
  };
  for (const [name, text] of Object.entries(refused)) t.equal(await service().answer(text), undefined, name);
  t.ok(await service().answer(sealed), 'while that is good');
});

t.test('a question that was heard before is not answered again', async (t) => {
  const one = service();
  const text = await box.seal(question());
  t.ok(await one.answer(text));
  t.equal(await one.answer(text), undefined);
});

t.test('while the key is replaced, either is understood', async (t) => {
  const [before, between] = [new PeerSealer([OLD]), service(3, [SECRET, OLD])];
  const text = await between.answer(await before.seal(question()));
  t.ok(text);
  t.equal(await before.openAnswer(text ?? ''), undefined, 'who does not have the new one yet cannot read it');
  t.ok(await new PeerSealer([OLD, SECRET]).openAnswer(text ?? ''));
});

t.test('answers are bounded', async (t) => {
  const one = service();
  const texts = await Promise.all(Array.from({ length: 20 }, () => box.seal(question())));
  const answers = await Promise.allSettled(texts.map((text) => one.answer(text)));
  t.equal(answers.filter(({ status }) => status === 'fulfilled').length, 8);
  t.match(
    answers.find(({ status }) => status === 'rejected'),
    { reason: { status: 503 } },
    'who asks too much is no stranger for that',
  );
  t.ok(await one.answer(await box.seal(question())), 'and go on');
});
