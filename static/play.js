// @ts-check
/**
 * The play page. A click moves the score at once; the server's answer settles it, a failure takes the points back.
 * The modules it is made of: play/api.js (the calls), play/attempt.js (one action and its token), play/score.js
 * (the optimistic total), play/toasts.js (messages).
 */
import { me, Refused, Unreachable } from './play/api.js';
import { Attempt } from './play/attempt.js';
import { Score } from './play/score.js';
import { toast } from './play/toasts.js';

const element = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
const numbers = new Intl.NumberFormat(document.documentElement.lang);

const score = new Score(Number(element('score').dataset.total), show, refresh);

function show() {
  element('score').textContent = numbers.format(score.shown);
  element('score').classList.toggle('pending', score.pending > 0);
  if (score.pending) element('settling').textContent = 'Waiting for the server…';
}

/** @param {{rank: number|null, players: number}} standing */
function showRank({ rank, players }) {
  element('rank').textContent = rank === null ? '–' : `${numbers.format(rank)} of ${numbers.format(players)}`;
}

async function refresh() {
  const { answers } = score;
  try {
    const standing = await me();
    score.learn(standing.score, answers);
    showRank(standing);
  } catch (error) {
    if (!(error instanceof Refused || error instanceof Unreachable)) throw error;
    // What is shown stays; the live board's next word corrects it.
  }
}

/** @param {Attempt} attempt */
async function perform(attempt) {
  score.expect(attempt, attempt.points);
  try {
    const { new_score, score_delta } = await attempt.run();
    score.settle(attempt, new_score);
    element('settling').textContent = `+${numbers.format(score_delta)} for ${attempt.title} is yours`;
  } catch (error) {
    if (error instanceof Refused) refused(attempt, error);
    else if (error instanceof Unreachable) failed(attempt, error.message);
    else {
      score.rollBack(attempt);
      throw error;
    }
  }
}

/** @param {Attempt} attempt @param {Refused} refusal */
function refused(attempt, refusal) {
  const original = refusal.problem?.original;
  if (refusal.status === 409 && original) {
    // The first try did count, only its answer was lost. Later actions may have followed it: ask for the total.
    score.settle(attempt, original.new_score);
    element('settling').textContent = `+${numbers.format(original.score_delta)} for ${attempt.title} had already counted`;
    refresh();
    return;
  }
  if (refusal.status === 409 || refusal.status >= 500) return failed(attempt, refusal.message, refusal.retryAfter ?? 0);
  takeBack(attempt);
  const again = { label: 'Retry', run: () => perform(attempt), after: refusal.retryAfter ?? 1 };
  if (refusal.status === 429) toast('Too many at once', refusal.message, again);
  else if (refusal.status === 425) toast('Too early', refusal.message, again);
  else if (refusal.status === 410)
    toast('Too late', `The token for ${attempt.title} has expired unspent.`, {
      label: 'Do it again',
      run: () => perform(new Attempt(attempt.type, attempt.title, attempt.points, attempt.seconds)),
    });
  else if (refusal.status === 401)
    toast('You are signed out', 'Sign in again to go on.', { label: 'Sign in', run: () => location.reload() });
  else if (refusal.problem?.type === '/problems/not-yours-to-grant')
    toast(`${attempt.title} is not yours to grant`, refusal.message);
  else toast(refusal.problem?.title ?? 'Refused', refusal.message);
}

/** Nothing is known to have counted. @param {Attempt} attempt @param {string} why @param {number} [after] seconds */
function failed(attempt, why, after) {
  takeBack(attempt);
  toast('Network Error', `${why} +${numbers.format(attempt.points)} for ${attempt.title} is taken back.`, {
    label: 'Retry',
    run: () => perform(attempt),
    after,
  });
}

function takeBack(/** @type {Attempt} */ attempt) {
  score.rollBack(attempt);
  if (!score.pending) element('settling').textContent = '';
}

for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (document.querySelectorAll('.action'))) {
  const { type = '', points, seconds } = button.dataset;
  const title = button.querySelector('.title')?.textContent ?? type;
  button.addEventListener('click', () => perform(new Attempt(type, title, Number(points), Number(seconds))));
  button.disabled = false;
}

document.querySelector('live-leaderboard')?.addEventListener('leaderboard-update', (event) => {
  const { you } = event.detail;
  if (!you) return;
  if (you.score !== null) score.hear(you.score);
  showRank(you);
});
addEventListener('pageshow', (event) => event.persisted && refresh());
show();
refresh();
