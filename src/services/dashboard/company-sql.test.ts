import { expect, test } from 'vitest';
import { NOW } from '../../../test/support/dashboard-rows.ts';
import { DashboardStore } from './store.ts';

test('every table stands behind a view of the company, so that no question reaches the rows of others', async () => {
  const store = await DashboardStore.open(() => NOW);
  const named = (sql: string) =>
    store.view(async (view) => (await view.all(sql)).map(({ name }) => name), "o'brien\0 \u{1f600}");
  const tables = await named('SELECT table_name AS name FROM duckdb_tables() WHERE NOT temporary ORDER BY name');
  const views = await named(
    'SELECT view_name AS name FROM duckdb_views() WHERE temporary AND NOT internal ORDER BY name',
  );
  expect(tables.length).toBeGreaterThan(5);
  expect(views).toEqual(tables);
  await store.close();
});
