// @ts-check
import { mint, redeem, Refused } from './api.js';

/** @typedef {import('./api.js').Minted} Minted */

const sleep = (/** @type {number} */ ms) => new Promise((done) => setTimeout(done, ms));

/** Redemptions queue here, so that their answers, which carry running totals, arrive in order. */
let lane = Promise.resolve();
/** @template T @param {() => Promise<T>} task @returns {Promise<T>} */
function inOrder(task) {
  const result = lane.then(task);
  lane = result.then(() => undefined, () => undefined);
  return result;
}

/**
 * One action of the player. It keeps its token, so that a second `run` hands in the same one: whatever became of
 * the first, it is paid at most once.
 */
export class Attempt {
  /** @type {Minted|null} */ token = null;
  #mintedAt = 0;

  /** @param {string} type @param {string} title @param {number} points @param {number} seconds it honestly takes */
  constructor(type, title, points, seconds) {
    this.type = type;
    this.title = title;
    this.points = points;
    this.seconds = seconds;
  }

  /** Mints unless there is a token, waits as long as the action takes, redeems. Raises Refused and Unreachable. */
  async run() {
    if (!this.token) {
      this.token = await mint(this.type);
      this.#mintedAt = performance.now();
    }
    const { token } = this;
    await sleep(Math.max(0, this.seconds * 1000 - this.#age));
    for (;;) {
      try {
        return await inOrder(() => redeem(token, this.#serverTime));
      } catch (error) {
        if (!(error instanceof Refused && error.status === 425)) throw error;
        await sleep((error.retryAfter ?? 1) * 1000);
      }
    }
  }

  get #age() {
    return performance.now() - this.#mintedAt;
  }

  /** The server's clock, not this machine's, which may be minutes off. */
  get #serverTime() {
    return (Date.parse(this.token?.issued_at ?? '') + this.#age) / 1000;
  }
}
