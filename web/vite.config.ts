import { defineConfig } from "vite";

// The gateway serves the built files from its package, so `make run` and the image need no Node.js.
export default defineConfig({
  root: "messenger",
  base: "/",
  build: {
    outDir: process.env.PARLEY_WEB_OUT ?? "../../gateway/web",
    emptyOutDir: true,
    target: "es2023",
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
  },
});
