import { expect, test } from 'vitest';
import { clusterConfig, configText, type FlinkConfig, taskManagerMemory } from './cluster-config.ts';

const config = (extra: FlinkConfig = {}, zooKeeper?: string) =>
  clusterConfig({ folder: '/data/flink', slots: 2, zooKeeper, extra });

test('no name stands twice, whatever is set besides: Flink would not start', () => {
  const text = configText(
    config({ 'rest.port': 1, 'state.checkpoints.dir': 'file:///x', 'heartbeat.timeout': '9 s' }, 'z:1'),
  );
  const names = text
    .trimEnd()
    .split('\n')
    .map((line) => line.slice(0, line.indexOf(': ')));
  expect(new Set(names).size).toBe(names.length);
  // The older of two names of one setting would be passed over in silence.
  expect(names).not.toContain('state.checkpoints.dir');
  expect(text).toContain('execution.checkpointing.dir: "file:///x"\n');
});

test('every address is of this machine, and every port free', () => {
  const all = Object.entries(config());
  for (const [name, value] of all.filter(([name]) => /(address|host)$/.test(name)))
    expect([name, value]).toEqual([name, '127.0.0.1']);
  for (const [name, value] of all.filter(([name]) => /port$/.test(name)))
    expect([name, String(value)]).toEqual([name, '0']);
});

test('a value is one line, whatever is in it', () => {
  expect(configText({ 'some.thing': 'a: "b"\nc' })).toBe('some.thing: "a: \\"b\\"\\nc"\n');
});

test('the JVM of a TaskManager has the memory that the settings say', () => {
  expect(taskManagerMemory(config())).toEqual([
    '-Xmx512m',
    '-XX:MaxDirectMemorySize=320m',
    '-XX:MaxMetaspaceSize=256m',
  ]);
  const larger = { 'taskmanager.memory.task.heap.size': '1g', 'taskmanager.memory.network.max': '65536 kb' };
  expect(taskManagerMemory(config(larger))).toContain('-Xmx1152m');
  expect(() => taskManagerMemory(config({ 'taskmanager.memory.task.heap.size': 'much' }))).toThrow(
    'taskmanager.memory.task.heap.size: expected a size such as 512m or 2g, got much.',
  );
});
