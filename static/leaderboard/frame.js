// @ts-check
/**
 * The board in an iframe asks the page around it for the reader's token, and for the next one before it ends.
 *
 * A question is delivered only to the origin that the server has named, and brings a port of its own. Nothing else is
 * listened to: only that page can answer, and only to this one.
 */

const ASK_MS = [0, 1_000, 3_000, 7_000]; // the page's script may start later than this one
const GIVE_UP_MS = 10_000; // renewal.js asks again later

const board = /** @type {import('./live-leaderboard.js').LiveLeaderboard} */ (document.querySelector('live-leaderboard'));
const page = document.body.dataset.asked ?? '';

board.getToken = () =>
  new Promise((resolve, reject) => {
    const ask = () => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = ({ data }) => {
        for (const timer of timers) clearTimeout(timer);
        resolve(typeof data === 'string' ? data : null);
      };
      parent.postMessage('leaderboard-token', page, [port2]);
    };
    const timers = ASK_MS.map((ms) => setTimeout(ask, ms));
    timers.push(setTimeout(() => reject(new Error(`${page} did not answer`)), GIVE_UP_MS));
  });

board.addEventListener('leaderboard-signed-out', () => parent.postMessage('leaderboard-signed-out', page));
