import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vitest/config'

// Every address is relative, so that the app works below any path that a proxy shows it under.
export default defineConfig({
  base: './',
  plugins: [svelte()],
  build: {
    outDir: '../crates/web/dist',
    emptyOutDir: false,
    target: 'es2022',
    modulePreload: { polyfill: false },
    // The policy allows no data in the place of a file.
    assetsInlineLimit: 0,
    reportCompressedSize: false,
  },
  server: { proxy: { '/api': process.env['PIECEWORK_URL'] ?? 'http://127.0.0.1:7411' } },
  test: { include: ['tests/**/*.test.ts'], environment: 'node' },
})
