import { defineConfig } from "vitest/config";

export default defineConfig({
  test: { dir: import.meta.dirname, globalSetup: "./consumers/install.mjs", fileParallelism: false, testTimeout: 180_000, hookTimeout: 180_000 },
});
