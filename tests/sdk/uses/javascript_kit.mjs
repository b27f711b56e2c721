/** What a site developer does with the kit, installed beside this file. */
import assert from 'node:assert/strict';
import { Client, Refused, Unavailable } from 'live-scoreboard-kit';
import { openBuffer } from 'live-scoreboard-kit/disk';

const { url, key, token } = JSON.parse(process.env.SITE);
const client = new Client(url, { key, token });

const first = await client.award({ id: 'a/1 é', player: '42', action_type: 'WIN_MATCH', name: 'Alex' });
const again = await client.award({ id: 'a/1 é', player: '42', action_type: 'WIN_MATCH' });
assert.deepEqual([first.new_score, first.replayed, again.new_score, again.replayed], [50, false, 50, true]);
assert.equal((await client.player('4/2', { name: 'Sam', opted_out: false })).name, 'Sam');
assert((await client.viewerToken('42')).expires_in > 0);
assert.equal((await client.act('COMPLETE_TASK')).score_delta, 10); // after the second that it takes
assert.equal((await client.score()).score, 10);
assert.equal((await client.score('ext:42')).username, 'Alex');
const shown = ({ top }) => top.map(({ score }) => score).join();
while (shown(await client.top({ limit: 2 })) !== '50,10'); // it may be half a second old
assert.equal(shown(await client.top({ period: 'all' })), '50,10');
for (const call of [(where) => client.top(where), (where) => client.score('ext:42', where), (where) => client.watch(where).next()])
  await assert.rejects(call({ period: '2020-W01' }), (error) => error instanceof Refused && error.status === 404);

const boards = client.watch({ limit: 3 });
const until = async (scores) => {
  while (shown((await boards.next()).value) !== scores);
};
await until('50,10');
await client.awardLater({ id: 'later', player: '7', action_type: 'WIN_MATCH' });
await until('50,50,10');

await assert.rejects(client.award({ id: 'a/1 é', player: '43', action_type: 'WIN_MATCH' }), (error) => {
  assert(error instanceof Refused);
  assert.deepEqual([error.status, error.kind, error.document.original.new_score], [409, 'id-reused', 50]);
  assert.equal(error.document.request_id, error.requestId);
  assert(error.message.includes(error.requestId));
  return true;
});
assert.equal(await client.close(60_000), true);
assert.equal((await boards.next()).done, true);

const heard = [];
const buffer = await openBuffer(process.argv[2]);
await assert.rejects(openBuffer(process.argv[2]), /another process/);
const other = new Client(url, { key, buffer, onRefused: (award, error) => heard.push([award.id, error.kind]) });
await other.awardLater({ id: 'unknown type', player: '7', action_type: 'NOTHING' });
assert.equal(await other.close(60_000), true);
assert.deepEqual(heard, [['unknown type', 'not-found']]);

await assert.rejects(new Client('http://127.0.0.1:9', { attempts: 2 }).top(), (error) => {
  assert(error instanceof Unavailable);
  assert.equal(error.status, 0);
  return true;
});
// A busy site answers 202 by itself; here it is asked to.
const plain = globalThis.fetch;
globalThis.fetch = (address, request) => {
  if (address.endsWith('score/update')) request.headers.set('Prefer', 'respond-async');
  return plain(address, request);
};
const queued = await new Client(url, { token }).act('COMPLETE_TASK');
assert.deepEqual([queued.new_score, queued.score_delta], [20, 10]); // again after a second: it was too early
process.stdout.write('all is well\n');
