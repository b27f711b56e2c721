/** What a site developer may write, and what the types must stop. Compiled, never run. */
import { LiveLeaderboard, type Row, type State, type You } from '../../static/leaderboard/live-leaderboard.js';

const board = document.createElement('live-leaderboard');
board.src = 'https://scores.example';
board.limit = 25;
board.theme = 'dark';
board.label = 'Heroes';
board.token = null;
board.getToken = async () => 'a.b.c';
board.labels = { live: 'Live', players: { one: '{n} Spieler', other: '{n} Spieler' } };
board.addEventListener('leaderboard-signed-out', ({ detail }) => console.log(detail.board));
document.body.append(board);

const first: Row | undefined = board.rows[0];
const score: number | undefined = first?.score;
const you: You | null = board.you;
const state: State = board.state;
board.addEventListener('leaderboard-update', ({ detail }) => {
  const seq: number | null = detail.seq;
  const rank: number | null | undefined = detail.you?.rank;
  console.log(seq, rank, detail.rows.length, score, you);
});
board.addEventListener('leaderboard-state', ({ detail }) => console.log(detail.state === 'live', detail.reason));
if (state === 'closed') board.reconnect();
const found: LiveLeaderboard | null = document.querySelector('live-leaderboard');
console.log(found instanceof LiveLeaderboard);

// @ts-expect-error: not a word of the element
board.labels = { alive: 'Live' };
// @ts-expect-error: not a theme
board.theme = 'pink';
// @ts-expect-error: read only
board.rows = [];
// @ts-expect-error: not a state
console.log(board.state === 'asleep');
// @ts-expect-error: a number, not its text
board.limit = '25';
