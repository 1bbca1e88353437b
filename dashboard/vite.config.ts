import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

/** Where `npm run dev -w dashboard` finds a running gateway. */
const gateway = 'http://127.0.0.1:4400';

export default defineConfig({
  plugins: [react()],
  // every file is served by the gateway itself; inlined assets would need `data:` in its content policy
  // one style sheet: a page's own, once it had failed to load, would not be asked for again
  build: { target: 'es2022', assetsInlineLimit: 0, cssCodeSplit: false, reportCompressedSize: true },
  server: {
    proxy: {
      '/api': { target: gateway, changeOrigin: true },
      '/socket.io': { target: gateway, changeOrigin: true, ws: true },
    },
  },
});
