import { main, SetupError } from './setup/console.mjs';
import { setUp, setUpGym } from './setup/steps.mjs';

// npm run setup            what it takes to run
// npm run setup -- gym     also reasoning-gym, for data sets `gym:<task>`
await main(async () => {
  const [extra] = process.argv.slice(2);
  if (extra !== undefined && extra !== 'gym')
    throw new SetupError(`nothing to set up is called ${extra}: gym`);
  await (extra ? setUpGym() : setUp());
  return 0;
});
