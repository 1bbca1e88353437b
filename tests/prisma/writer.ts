/** A process that writes rows, made to be killed. Prints the number of each that was committed. */
import { openDatabase } from '../../gateway/src/database/database.js';

const { prisma } = await openDatabase({ folder: process.argv[2] as string });
for (let count = 1; ; count++) {
  await prisma.history.create({ data: { epoch: `epoch ${count}` } });
  console.log(count);
}
