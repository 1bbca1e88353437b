import { main } from './setup/console.mjs';
import { setUp } from './setup/steps.mjs';

await main(async () => {
  await setUp();
  return 0;
});
