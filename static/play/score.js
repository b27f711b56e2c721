// @ts-check
/**
 * The optimistic score: what the server has confirmed, plus what has been done and not yet answered.
 *
 * Answers come in order, because redemptions go out one after the other (attempt.js). Totals overheard on the live
 * connection do not: one may already contain an action whose answer is still on its way, and one may be older than
 * the last answer. So they count only while nothing is pending, and only upwards; anything else makes the score ask.
 * What it is told then counts, unless another answer has come meanwhile: then it asks again.
 */
export class Score {
  #confirmed;
  /** @type {Map<object, number>} */ #pending = new Map();
  #overheard = false;
  /** How many answers have come: a caller that asks for the total notes it, and hands it back with the total. */
  answers = 0;

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
    this.answers += 1;
    this.#done(attempt);
  }

  /** It did not count, or that is not known yet: the points go back. */
  rollBack(/** @type {object} */ attempt) {
    this.#done(attempt);
  }

  /** A total the live board mentions. A lower one is old, or the work of an admin. */
  hear(/** @type {number} */ total) {
    if (this.#pending.size) this.#overheard = true;
    else if (total > this.#confirmed) this.#take(total);
    else if (total < this.#confirmed) this.ask();
  }

  /** The total the server gave when asked, when there were so many `answers`. */
  learn(/** @type {number} */ total, /** @type {number} */ answers) {
    if (this.#pending.size) this.#overheard = true;
    else if (answers !== this.answers) this.ask();
    else this.#take(total);
  }

  #take(/** @type {number} */ total) {
    if (total === this.#confirmed) return;
    this.#confirmed = total;
    this.changed(this);
  }

  #done(/** @type {object} */ attempt) {
    this.#pending.delete(attempt);
    this.changed(this);
    if (this.#pending.size || !this.#overheard) return;
    this.#overheard = false;
    this.ask();
  }
}
