/** A process with a supervised backend, made to be killed. Prints the backend's state when it is up. */
import { stateOf, superviseBackend } from './fixtures.js';

const supervisor = superviseBackend(process.argv[2] as string);
supervisor.start();
console.log(JSON.stringify(await stateOf(supervisor, 'up')));
