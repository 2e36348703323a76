import t from 'tap';
import { DescriptorReserve } from '../../src/server/descriptor-reserve.ts';

/** A reserve in a process with so many free descriptors. */
function startReserve(free: number) {
  const machine = { free, open: 0, now: 0 };
  const told: string[] = [];
  const reserve = new DescriptorReserve({
    open: () => {
      if (machine.open >= machine.free) throw Object.assign(new Error('no more'), { code: 'EMFILE' });
      machine.open += 1;
      return machine.open;
    },
    close: () => {
      machine.open -= 1;
    },
    now: () => machine.now,
    onChange: (short) => told.push(short ? 'short' : 'enough'),
    onShort: (code) => told.push(`log ${code}`),
    onOver: (ms) => told.push(`log over after ${ms} ms`),
  });
  reserve.start();
  t.teardown(() => reserve.stop());
  return { reserve, machine, told };
}

t.test('while there are descriptors, it holds its own and says nothing', async (t) => {
  const { reserve, machine, told } = startReserve(33);
  reserve.check();
  reserve.check();
  t.equal(machine.open, 32);
  t.same(told, []);
  reserve.stop();
  t.equal(machine.open, 0, 'it ends with nothing open');
});

t.test('when there are none, it gives up its own until there are enough', async (t) => {
  const { reserve, machine, told } = startReserve(32);
  reserve.check();
  t.equal(machine.open, 0, 'all are free for others');
  t.same(told, ['log EMFILE', 'short']);
  machine.free = 63;
  reserve.check();
  t.equal(machine.open, 0, 'not enough yet');
  machine.free = 64;
  machine.now = 3_000;
  reserve.check();
  t.equal(machine.open, 32);
  t.same(told.slice(2), ['short', 'enough']);
  machine.now = 12_999;
  reserve.check();
  t.equal(told.length, 4);
  machine.now = 13_000;
  reserve.check();
  t.same(told.slice(4), ['log over after 3000 ms']);
});

t.test('a shortage that comes and goes is logged once', async (t) => {
  const { reserve, machine, told } = startReserve(100);
  for (let second = 0; second < 60; second += 1) {
    machine.now = second * 1000;
    machine.free = second % 4 === 0 ? 32 : 100;
    reserve.check();
  }
  const logged = () => told.filter((line) => line.startsWith('log'));
  t.same(logged(), ['log EMFILE']);
  machine.now += 10_000;
  machine.free = 100;
  reserve.check();
  machine.now += 10_000;
  reserve.check();
  t.same(logged(), ['log EMFILE', 'log over after 57000 ms']);
});

t.test('a reserve that could not be complete at the start becomes so', async (t) => {
  const { reserve, machine, told } = startReserve(5);
  machine.free = 100;
  for (let index = 0; index < 40; index += 1) reserve.check();
  t.equal(machine.open, 32);
  t.same(told, []);
});
