// @ts-check
/**
 * The optimistic score: what the server has confirmed, plus what has been done and not yet answered.
 *
 * Answers come in order, because redemptions go out one after the other (attempt.js). Totals overheard on the live
 * connection do not: one may already contain an action whose answer is still on its way. They count only while
 * nothing is pending; one heard in between makes the score ask again once all is answered.
 */
export class Score {
  #confirmed;
  /** @type {Map<object, number>} */ #pending = new Map();
  #overheard = false;

  /** @param {number} total @param {(score: Score) => void} changed @param {() => void} ask fetches the truth */
  constructor(total, changed, ask) {
    this.#confirmed = total;
    this.changed = changed;
    this.ask = ask;
  }

  get shown() {
    return [...this.#pending.values()].reduce((sum, points) => sum + points, this.#confirmed);
  }

  get pending() {
    return this.#pending.size;
  }

  /** The score moves before the server has answered. */
  expect(/** @type {object} */ attempt, /** @type {number} */ points) {
    this.#pending.set(attempt, points);
    this.changed(this);
  }

  /** The server has answered: this is the total. */
  settle(/** @type {object} */ attempt, /** @type {number} */ total) {
    this.#confirmed = total;
    this.#done(attempt);
  }

  /** It did not count, or nobody knows yet: the points go back. */
  rollBack(/** @type {object} */ attempt) {
    this.#done(attempt);
  }

  /** A total from elsewhere: another tab, an admin, the live board. */
  hear(/** @type {number} */ total) {
    if (this.#pending.size) this.#overheard = true;
    else if (total !== this.#confirmed) {
      this.#confirmed = total;
      this.changed(this);
    }
  }

  #done(/** @type {object} */ attempt) {
    this.#pending.delete(attempt);
    this.changed(this);
    if (this.#pending.size || !this.#overheard) return;
    this.#overheard = false;
    this.ask();
  }
}
