import t from 'tap';
import { TagWarnings } from '../../src/status/tag-warnings.ts';
import { NOW, pullRecord } from './snapshot/views.ts';

const warned = (reference: string, startedAt = NOW, text = 'it is older') =>
  pullRecord({ reference, startedAt, tag: { verdict: 'stale', action: 'warned', text } });

t.test('keeps each tag once, the last one first', async (t) => {
  const warnings = new TagWarnings();
  warnings.record(warned('v1'));
  warnings.record(warned('v2'));
  warnings.record(warned('v1', NOW + 1000, 'it is older still'));
  t.same(warnings.list(), [
    {
      at: new Date(NOW + 4040).toISOString(),
      repository: 'library/app',
      tag: 'v1',
      upstream: 'gcr',
      text: 'it is older still',
      count: 2,
    },
    {
      at: new Date(NOW + 3040).toISOString(),
      repository: 'library/app',
      tag: 'v2',
      upstream: 'gcr',
      text: 'it is older',
      count: 1,
    },
  ]);
});

t.test('keeps no more than it may, and nothing that was as it should be', async (t) => {
  const warnings = new TagWarnings(2);
  for (const tag of ['v1', 'v2', 'v3']) warnings.record(warned(tag));
  warnings.record(pullRecord({ reference: 'v4' }));
  warnings.record(pullRecord({ reference: 'v5', tag: { verdict: 'stale', action: 'replaced' } }));
  t.same(
    warnings.list().map(({ tag }) => tag),
    ['v3', 'v2'],
  );
});
