/** Opens the buffer and says what waits in it; with more arguments accepts awards with these ids, and stays. */
import { openBuffer } from 'live-scoreboard-kit/disk';

const [path, ...ids] = process.argv.slice(2);
const buffer = await openBuffer(path, { most: 3 });
process.stdout.write(`${buffer.oldest(10).map(([id]) => id)}\n`);
for (const id of ids) buffer.add({ id, player: '42', action_type: 'WIN_MATCH' });
if (ids.length) {
  process.stdout.write('accepted\n');
  setInterval(() => {}, 1000);
} else buffer.close();
