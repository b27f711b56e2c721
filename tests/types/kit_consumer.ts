/** What a site developer may write with the kit, and what the types must stop. Compiled, never run. */
import { Client, MemoryBuffer, Refused, Unavailable, type Award, type Board } from '../../sdk/javascript/types/index.js';
import { openBuffer } from '../../sdk/javascript/types/disk.js';

const deed: Award = { id: 'order-981', player: '42', action_type: 'COMPLETE_TASK', attributes: { vip: true } };
const scores = new Client('https://scores.example', {
  key: 'sb_…',
  buffer: await openBuffer('awards.ndjson', { most: 10 }),
  onRefused: ({ id }, { kind, document }) => console.log(id, kind, document.detail),
});
try {
  const { new_score, rank } = await scores.award(deed);
  console.log(new_score + 1, rank?.toFixed());
} catch (error) {
  if (error instanceof Refused || error instanceof Unavailable) console.log(error.requestId, error.status);
}
await scores.awardLater(deed);
await scores.player('42', { name: 'Alex', avatar: null });
console.log((await scores.viewerToken('42')).token.length, (await scores.score()).percentile);
const page = new Client('https://scores.example', { token: async () => 'a.b.c', buffer: new MemoryBuffer({ most: 1 }) });
console.log((await page.act('COMPLETE_TASK')).score_delta);
for await (const board of page.watch({ limit: 3, signal: new AbortController().signal })) show(board);
show(await page.top({ limit: 3 }));
console.log(await page.close(0));

function show({ top, players, seq }: Board) {
  console.log(top[0]?.username.length, players + 1, seq);
}

// @ts-expect-error: an award has an id
await scores.award({ player: '42', action_type: 'COMPLETE_TASK' });
// @ts-expect-error: no field of an award
await scores.award({ ...deed, delta: 5 });
// @ts-expect-error: a number, not its text
await scores.top({ limit: '3' });
// @ts-expect-error: a rank may be null
console.log((await scores.score()).rank.toFixed());
// @ts-expect-error: no option
new Client('https://scores.example', { apiKey: 'sb_…' });
