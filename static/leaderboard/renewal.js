// @ts-check
/**
 * Tokens for the reader's own line: where they come from, when they end, and the next one before they do.
 *
 * All boards of a page with one source (an address, or a function) share its token: it is asked once for all of them.
 *
 * @typedef {string|(() => Promise<string|null>)} Asked
 * @typedef {(token: string|null) => void} Heard a token to use; null: the token has ended and there is no other
 * @typedef {{refused(token: string): boolean, leave(): void}} Follower `refused`: whether another one is there, or asked for
 */

const LEEWAY_MS = 60_000; // the server's, for a token that has just ended
const EARLY_MS = 60_000; // before its end a token is renewed; a short one after four fifths of its time
const LOOK_MS = 5_000; // timers stand still while a machine sleeps: the clock is looked at this often
const RETRY_MS = 30_000; // after no answer, and after an answer that the server refused at once
const YOUNG_MS = 10_000; // a token refused at this age never was any good
const TIMEOUT_MS = 10_000;

/** When a JWT says that it ends, as Date.now() counts; NaN for what says nothing. @param {string} token */
function expiry(token) {
  try {
    return JSON.parse(atob(token.split('.')[1].replace(/-/g, '+').replace(/_/g, '/'))).exp * 1000;
  } catch {
    return NaN;
  }
}

/** @param {Asked} asked @returns {Promise<string|null>} null when the site says that the reader is not signed in */
async function ask(asked) {
  if (typeof asked === 'function') {
    const answer = asked();
    const late = new Promise((_, reject) => setTimeout(reject, TIMEOUT_MS, new Error('the function gave no answer in time')));
    return /** @type {string|null} */ (await Promise.race([answer, late])) || null;
  }
  const answer = await fetch(asked, {
    credentials: 'include',
    cache: 'no-store',
    headers: { Accept: 'application/json' },
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if ([401, 403, 404].includes(answer.status)) return null;
  if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
  const { token } = await answer.json();
  return typeof token === 'string' && token ? token : null;
}

/** One place that tokens come from, for all boards that use it. */
class Source {
  /** @type {Set<Heard>} */ followers = new Set();
  /** @type {string|null} */ token = null;
  #since = 0; // Date.now() when the token came
  #due = 0; // Date.now() from which on the next is asked for
  asking = false;
  #look = () => this.look();
  /** @type {ReturnType<typeof setInterval>|undefined} */ #timer;

  /** @param {Asked} asked */
  constructor(asked) {
    this.asked = asked;
  }

  /** @param {Heard} heard */
  join(heard) {
    this.followers.add(heard);
    if (this.followers.size === 1) {
      this.#timer = setInterval(this.#look, LOOK_MS);
      document.addEventListener('visibilitychange', this.#look);
    }
    if (this.token) heard(this.token);
    this.look();
  }

  /** @param {Heard} heard */
  leave(heard) {
    this.followers.delete(heard);
    if (this.followers.size) return;
    clearInterval(this.#timer);
    document.removeEventListener('visibilitychange', this.#look);
    sources.delete(this.asked);
  }

  /** Asks when it is time to; a hidden page waits until it is shown. */
  look() {
    if (!this.asking && document.visibilityState === 'visible' && Date.now() >= this.#due) this.#ask();
  }

  async #ask() {
    this.asking = true;
    const before = this.token;
    try {
      this.#take(await ask(this.asked));
    } catch (error) {
      console.warn('live-leaderboard: no answer about a token', error);
      this.#due = Date.now() + RETRY_MS;
    }
    this.asking = false;
    if (this.token !== before || !this.token) this.tell();
  }

  /** @param {string|null} token */
  #take(token) {
    const now = Date.now();
    if (!token) {
      // The token there is stays good until its end. Who signs in again does so elsewhere, and comes back to this page.
      this.#due = Infinity;
      document.addEventListener('visibilitychange', () => (this.#due = 0), { once: true, capture: true });
      return;
    }
    this.token = token;
    this.#since = now;
    const left = expiry(token) - now;
    // A clock that is ahead takes a new token for an old one: the server's word on it is waited for.
    this.#due = left > 0 ? now + left - Math.min(EARLY_MS, left / 5) : Infinity;
  }

  tell() {
    for (const heard of [...this.followers]) heard(this.token);
  }

  /** The server does not take this token (any more). @param {string} token */
  refused(token) {
    if (token !== this.token) return; // it was another board's news, too
    this.token = null;
    this.#due = Date.now() - this.#since < YOUNG_MS ? Date.now() + RETRY_MS : 0;
    if (this.#due) this.tell();
    else this.look();
  }
}

/** @type {Map<Asked, Source>} */
const sources = new Map();

/**
 * Brings tokens of a source, and says when a token without one has ended.
 *
 * @param {Asked|null} asked an address (relative to the page) or a function, if there is one
 * @param {string|null} token what the board has without it
 * @param {Heard} heard
 * @returns {Follower}
 */
export function follow(asked, token, heard) {
  if (!asked) return watch(token ?? '', heard);
  const place = typeof asked === 'string' ? new URL(asked, document.baseURI).href : asked;
  let source = sources.get(place);
  if (!source) sources.set(place, (source = new Source(place)));
  const found = source;
  found.join(heard);
  return {
    refused(ended) {
      found.refused(ended);
      if (found.token) heard(found.token);
      return found.asking || found.token !== null;
    },
    leave: () => found.leave(heard),
  };
}

/** A token of which there is no other. @param {string} token @param {Heard} heard @returns {Follower} */
function watch(token, heard) {
  const end = expiry(token) + LEEWAY_MS;
  const timer = setInterval(() => {
    if (Date.now() > end) heard(null);
  }, LOOK_MS);
  return { refused: () => false, leave: () => clearInterval(timer) };
}
