import { main, SetupError } from './setup/console.mjs';
import { extras, setUp, setUpWith } from './setup/steps.mjs';

// npm run setup            what it takes to run
// npm run setup -- gym     also reasoning-gym, for data sets `gym:<task>`
// npm run setup -- lm-eval  also the Language Model Evaluation Harness, for data sets `lm-eval:<task>`
// npm run setup -- ray     also Ray, for EXECUTOR=ray
await main(async () => {
  const [extra] = process.argv.slice(2);
  if (extra !== undefined && !extras.includes(extra))
    throw new SetupError(`nothing to set up is called ${extra}: ${extras.join(', ')}`);
  await (extra ? setUpWith(extra) : setUp());
  return 0;
});
