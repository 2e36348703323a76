import t from 'tap';
import { TimeHistogram } from '../../../src/status/metrics/time-histogram.ts';

t.test('counts each time in all buckets that hold it', async (t) => {
  const histogram = new TimeHistogram('seconds', 'Some times.', [10, 2500]);
  for (const ms of [0, 10, 10.5, 2500, 2501]) histogram.of('blob', 'served').add(ms);
  histogram.of('ping', 'failed').add(7);
  t.equal(
    histogram.text(),
    `# HELP breakwater_seconds Some times.
# TYPE breakwater_seconds histogram
breakwater_seconds_bucket{le="0.01",kind="blob",outcome="served"} 2
breakwater_seconds_bucket{le="2.5",kind="blob",outcome="served"} 4
breakwater_seconds_bucket{le="+Inf",kind="blob",outcome="served"} 5
breakwater_seconds_sum{kind="blob",outcome="served"} 5.0215
breakwater_seconds_count{kind="blob",outcome="served"} 5
breakwater_seconds_bucket{le="0.01",kind="ping",outcome="failed"} 1
breakwater_seconds_bucket{le="2.5",kind="ping",outcome="failed"} 1
breakwater_seconds_bucket{le="+Inf",kind="ping",outcome="failed"} 1
breakwater_seconds_sum{kind="ping",outcome="failed"} 0.007
breakwater_seconds_count{kind="ping",outcome="failed"} 1
`,
  );
});
