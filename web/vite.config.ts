import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

/** The page asks for its files beside itself, so that it can stand below any path. */
// biome-ignore lint/style/noDefaultExport: Vite asks for it.
export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  base: './',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: fileURLToPath(new URL('../dist/web', import.meta.url)),
    emptyOutDir: true,
    rolldownOptions: {
      input: ['index.html', 'sign-in.html'].map((page) => fileURLToPath(new URL(page, import.meta.url))),
    },
    // `light-dark()` stays as it is written.
    target: ['chrome123', 'edge123', 'firefox124', 'safari17.5'],
    // Neither inline scripts nor `data:` addresses: the policy of the service is `default-src 'self'`.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 700,
  },
});
