/** What a client that was generated from docs/openapi.yaml lets one write, and what it stops. Compiled, never run. */
import createClient from 'openapi-fetch';
import type { components, paths } from './schema.js';

const api = createClient<paths>({ baseUrl: 'https://scores.example', headers: { 'X-API-Key': 'sb_…' } });
type Problem = components['schemas']['Problem'];

const { data, error, response } = await api.POST('/api/v1/awards', {
  body: { id: 'order-981', player: '42', action_type: 'COMPLETE_TASK' },
});
if (data) console.log(data.data.new_score + 1, data.data.rank?.toFixed(), data.data.replayed);
if (error) console.log(error.type.length, error.detail, error.request_id, response.status);
if (error && 'original' in error) console.log(error.original?.score_delta.toFixed());

const batch = await api.POST('/api/v1/awards/batch', {
  body: { awards: [{ id: 'order-981', player: '42', action_type: 'COMPLETE_TASK' }] },
});
if (batch.data && 'data' in batch.data) {
  for (const { id, status, new_score } of batch.data.data.results) console.log(id?.length, status + 1, new_score);
}
const reversed = await api.DELETE('/api/v1/awards/{award_id}', { params: { path: { award_id: 'order-981' } } });
console.log(reversed.data?.data.reversed_at.length);

const player = await api.PUT('/api/v1/players/{player}', {
  params: { path: { player: '42' } },
  body: { name: 'Alex', avatar: null, attributes: { region: 'EU' }, opted_out: false },
});
console.log(player.data?.data.hidden, (player.error as Problem | undefined)?.title);
const players = await api.GET('/api/v1/players', { params: { query: { after: '42', limit: 10 } } });
console.log(players.data?.data[0]?.user_id, players.data?.next?.length);
const watching = await api.POST('/api/v1/viewer-tokens', { body: { player: '42' } });
console.log(watching.data?.data.token.length, watching.data?.data.expires_in.toFixed());

const minted = await api.POST('/api/v1/action/token', { body: { action_type: 'COMPLETE_TASK' } });
if (minted.data) {
  const { action_id, action_type, action_token } = minted.data.data;
  const body = { action_id, action_type, action_token, timestamp: Date.now() / 1000 };
  const redeemed = await api.POST('/api/v1/score/update', { body });
  if (redeemed.response.status === 200) console.log(redeemed.data?.data);
}
const top = await api.GET('/api/v1/scoreboard/top', { params: { query: { limit: 3 } } });
for (const { rank, username, score, avatar } of top.data?.data ?? []) console.log(rank, username, score, avatar?.length);
console.log(top.data?.epoch?.length, top.data?.players, top.data?.last_updated);
const standing = await api.GET('/api/v1/score/{user_id}', { params: { path: { user_id: 'ext:42' } } });
console.log(standing.data?.data.percentile?.toFixed());

// @ts-expect-error: an award has an id
await api.POST('/api/v1/awards', { body: { player: '42', action_type: 'COMPLETE_TASK' } });
// @ts-expect-error: a number, not its text
await api.GET('/api/v1/scoreboard/top', { params: { query: { limit: '3' } } });
// @ts-expect-error: no such call
await api.GET('/api/v1/awards');
