import { main } from './setup/console.mjs';
import { database } from './setup/database.mjs';

await main(() => database('backup', process.argv.slice(2)));
