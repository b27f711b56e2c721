/** A client of a live scoreboard, for servers and browsers. What needs an API key refuses to run in a browser. */
import { MemoryBuffer } from './buffer.js';

export { BufferFull, MemoryBuffer } from './buffer.js';

/**
 * A deed. `id` is your own id of it: the same award again pays nothing. Exactly one of `player` and `user_id`.
 * @typedef {{id: string, action_type: string, player?: string, user_id?: string, points?: number,
 *   value?: number, metadata?: Record<string, unknown>, name?: string, avatar?: string | null,
 *   attributes?: Attributes, occurred_at?: string}} Award
 */
/**
 * @typedef {{id: string, player: string | null, user_id: string, score_delta: number, value: number | null,
 *   new_score: number, rank: number | null, replayed: boolean}} Awarded
 */
/** @typedef {Record<string, string | number | boolean | null>} Attributes */
/** @typedef {{name?: string, avatar?: string | null, attributes?: Attributes, opted_out?: boolean}} PlayerFields */
/**
 * @typedef {{player: string, user_id: string, name: string | null, avatar: string | null, attributes: Attributes,
 *   opted_out: boolean, hidden: boolean, disabled: boolean, created_at: string}} Player
 */
/** @typedef {{token: string, expires_in: number}} ViewerToken */
/** @typedef {{action_id: string, new_score: number, score_delta: number, rank: number | null}} Redeemed */
/**
 * @typedef {{user_id: string, username: string, score: number, rank: number | null, players: number,
 *   percentile: number | null, updated_at: string | null, tier?: string | null}} Standing
 */
/**
 * @typedef {{rank: number, user_id: string, username: string, score: number, avatar: string | null, tier?: string | null,
 *   metadata?: Record<string, unknown>}} Row
 */
/**
 * `timestamp`: Unix seconds of its last change. `epoch`, `seq`: null while SQL stands in for Redis.
 * @typedef {{epoch: string | null, seq: number | null, timestamp: number, players: number, top: Row[]}} Board
 */
/** @typedef {Record<string, any> & {type?: string, title?: string, detail?: string}} Problem */
/**
 * What came of a request; `status` 0: no answer.
 * @typedef {{status: number, requestId: string, retryAfter: string, document: any, cause?: unknown}} Answer
 */
/**
 * `key`: an API key, on a server only. `token`: a player's. `timeout`: milliseconds for one attempt. `onRefused` hears
 * of awards from the buffer; one whose report throws is sent, and reported, again. `traceparent`: the caller's place in
 * a trace (W3C), if there is one; what is sent in the background has none.
 * @typedef {{key?: string, token?: string | (() => string | Promise<string>), timeout?: number, attempts?: number,
 *   traceparent?: () => string | undefined, buffer?: MemoryBuffer, onRefused?: (award: Award, error: Refused) => void}} Options
 */

const AGAIN = [0, 408, 425, 429]; // and 5xx: not now, but maybe later
const UNREADABLE = ['invalid-request', 'payload-too-large'];
const MAX_BATCH = 200;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 60_000;
const LONGEST_SAID_S = 3600; // a Retry-After beyond this is not believed
const SILENCE_MS = 40_000; // of a stream, which says something every 15 s

/** `document`: the problem document of the answer (RFC 9457), {} if there was none; `kind`: its slug. */
export class ScoreboardError extends Error {
  /** @param {string} said @param {Answer} answer */
  constructor(said, { status, requestId, document, cause }) {
    const problem = /** @type {Problem} */ (document ?? {});
    const told = [said, status, problem.title, problem.detail, problem.errors && JSON.stringify(problem.errors), cause];
    super(`${told.filter(Boolean).join(' ')} (request ${requestId || 'unknown'})`, { cause });
    this.name = new.target.name;
    this.status = status;
    this.requestId = requestId;
    this.document = problem;
    this.kind = problem.type?.replace('/problems/', '') ?? '';
  }
}

/** A final answer: the same call would be refused again. */
export class Refused extends ScoreboardError {}

/** No final answer. The call may have counted or not: repeat it later, an award with the same id. */
export class Unavailable extends ScoreboardError {}

export class Client {
  /** @type {string} */ #base;
  #stopped = new AbortController();
  /** @type {Promise<void> | null} */ #delivery = null;
  /** @type {Required<Omit<Options, 'buffer' | 'key' | 'token' | 'traceparent'>> & Options} */ #options;
  /** Why awards wait. @type {ScoreboardError | undefined} */ trouble;

  /** @param {string} url @param {Options} [options] */
  constructor(url, { timeout = 10_000, attempts = 5, buffer, onRefused = console.error, ...more } = {}) {
    if (more.key !== undefined) serverOnly('An API key');
    this.#base = `${url.replace(/\/+$/, '')}/api/v1/`;
    this.#options = { ...more, timeout, attempts, onRefused };
    this.buffer = buffer ?? new MemoryBuffer();
    this.#wake();
  }

  /** Points for a deed, now. Repeat it after Unavailable: the same `id` pays once. @param {Award} award */
  async award(award) {
    return /** @type {Awarded} */ ((await this.#call('POST', 'awards', award, serverOnly('award'))).data);
  }

  /** Accepts it; it is sent in the background until there is a final answer. @param {Award} award */
  async awardLater(award) {
    serverOnly('awardLater');
    this.buffer.add(award);
    this.#wake();
  }

  /** Says how your user appears; makes the player if need be. @param {string} id @param {PlayerFields} [fields] */
  async player(id, fields = {}) {
    const path = `players/${encodeURIComponent(id)}`;
    return /** @type {Player} */ ((await this.#call('PUT', path, fields, serverOnly('player'))).data);
  }

  /** For the page that your user sees: the board there shows the user's own place. @param {string} player */
  async viewerToken(player) {
    const key = serverOnly('viewerToken');
    return /** @type {ViewerToken} */ ((await this.#call('POST', 'viewer-tokens', { player }, key)).data);
  }

  /** Mints and redeems as the player whose token this is; waits while it is too early. @param {string} action_type */
  async act(action_type) {
    const minted = (await this.#call('POST', 'action/token', { action_type })).data;
    const { action_id, action_token } = minted;
    const timestamp = Date.parse(minted.issued_at) / 1000; // by the server's clock, for this machine's may be wrong
    try {
      const body = { action_id, action_type, action_token, timestamp };
      const { new_score, score_delta, rank } = await this.#redeem(body);
      return /** @type {Redeemed} */ ({ action_id, new_score, score_delta, rank });
    } catch (error) {
      if (!(error instanceof Refused) || error.kind !== 'already-redeemed') throw error;
      const { new_score, score_delta } = error.document.original; // the answer to the first attempt was lost
      return /** @type {Redeemed} */ ({ action_id, new_score, score_delta, rank: null });
    }
  }

  /**
   * A busy site answers 202: then asks for what became of it. Throws Unavailable while it still waits.
   *
   * @param {object} body @returns {Promise<any>}
   */
  async #redeem(body) {
    let redeemed = (await this.#call('POST', 'score/update', body)).data;
    for (let misses = 1; redeemed.work_id; misses += 1) {
      const [path, none] = [`score/requests/${redeemed.work_id}`, noAnswer('', undefined)];
      if (misses > this.#options.attempts) {
        throw new Unavailable(`GET ${path} it is queued, and counts when the site comes to it`, none);
      }
      await sleep(pause(misses, none));
      redeemed = (await this.#call('GET', path)).data.results?.[0] ?? redeemed;
      const { status = 0 } = redeemed;
      // Too early, say.
      if (again(status)) redeemed = (await this.#call('POST', 'score/update', body)).data;
      else if (status >= 300) throw new Refused(`GET ${path}`, { ...none, status, document: redeemed });
    }
    return redeemed;
  }

  /**
   * `userId`: the scoreboard's, or `ext:` and yours.
   *
   * @param {string} [userId] @param {{board?: string, period?: string}} [options]
   */
  async score(userId, { board = 'global', period } = {}) {
    const path = `score/${userId ? encodeURIComponent(userId) : 'me'}?${which(board, period)}`;
    return /** @type {Standing} */ ((await this.#call('GET', path, undefined, !!userId && !!this.#options.key)).data);
  }

  /**
   * `period`: its key, such as 2026-W47; a closed one has its final ranks. By default the current one.
   *
   * @param {{limit?: number, offset?: number, board?: string, period?: string}} [options] @returns {Promise<Board>}
   */
  async top({ limit = 10, offset = 0, board = 'global', period } = {}) {
    const query = which(board, period, { limit: `${limit}`, offset: `${offset}` });
    const { data, last_updated, epoch, seq, players } = await this.#call('GET', `scoreboard/top?${query}`);
    return { epoch, seq, timestamp: Date.parse(last_updated) / 1000, players, top: data };
  }

  /**
   * Each new state of the board, until `signal` or `close` ends it; over a new connection when one ends. Throws
   * Refused.
   *
   * @param {{limit?: number, board?: string, period?: string, signal?: AbortSignal}} [options]
   * @returns {AsyncGenerator<Board, void, void>}
   */
  async *watch({ limit = 10, board = 'global', period, signal } = {}) {
    const path = `scoreboard/stream?${which(board, period, { limit: `${limit}` })}`;
    let [misses, retry, seen] = [0, 0, /** @type {[string | null, number]} */ ([null, 0])];
    while (!signal?.aborted && !this.#stopped.signal.aborted) {
      const ending = anyOf(signal, this.#stopped.signal);
      let [answer, silence] = [noAnswer('', 'the stream ended'), setTimeout(ending.end, SILENCE_MS)];
      try {
        const response = await this.#fetch('GET', path, null, false, { signal: ending.signal });
        if (response.status !== 200 || !response.body) answer = await answerOf(response);
        else {
          for await (const line of lines(response.body)) {
            clearTimeout(silence);
            silence = setTimeout(ending.end, SILENCE_MS);
            if (line.startsWith('retry:')) retry = Number(line.slice(6));
            if (!line.startsWith('data:')) continue;
            misses = 0;
            const { type, epoch, seq, timestamp, players, top } = JSON.parse(line.slice(5));
            // Within an epoch only what is newer; a new epoch replaces everything.
            if (type !== 'leaderboard_update' || (epoch === seen[0] && seq <= seen[1])) continue;
            seen = [epoch, seq];
            yield { epoch, seq, timestamp, players, top };
          }
        }
      } catch (error) {
        answer = noAnswer('', error);
      } finally {
        clearTimeout(silence);
        ending.end();
      }
      if (!again(answer.status)) throw new Refused(`GET ${path}`, answer);
      misses += 1;
      await sleep(retry && misses === 1 ? retry : pause(misses, answer), signal, this.#stopped.signal);
    }
  }

  /** Resolves to whether all that was accepted was answered in this time. @param {number} [milliseconds] */
  async close(milliseconds = 10_000) {
    const late = new AbortController();
    await Promise.race([this.#delivery, sleep(milliseconds, late.signal)]);
    late.abort();
    this.#stopped.abort();
    await this.#delivery;
    const emptied = this.buffer.count === 0;
    this.buffer.close();
    return emptied;
  }

  #wake() {
    if (!this.buffer.count || this.#stopped.signal.aborted) return;
    this.#delivery ??= this.#deliver().finally(() => {
      this.#delivery = null;
      this.#wake(); // for one that came just now
    });
  }

  /** Sends what waits, oldest first, until none is left. Only a final answer takes an award out of the buffer. */
  async #deliver() {
    let [misses, most] = [0, MAX_BATCH];
    while (this.buffer.count && !this.#stopped.signal.aborted) {
      const batch = this.buffer.oldest(most);
      const body = `{"awards": [${batch.map(([, line]) => line)}]}`;
      const answer = await this.#answer('POST', 'awards/batch', body, true);
      const error = failure('POST awards/batch', answer);
      let results = error ? [] : answer.document.data.results;
      // One that cannot be read even alone.
      const unreadable = batch.length === 1 && UNREADABLE.includes(error?.kind ?? '');
      if (unreadable) results = [{ ...answer.document, status: answer.status }];
      if (results.length !== batch.length) results = [];
      const final = batch.filter(([, line], place) => results[place] && this.#isFinal(line, answer, results[place]));
      this.buffer.drop(final.map(([id]) => id));
      this.trouble = error;
      misses = final.length ? 0 : misses + 1;
      // Fewer at once: maybe too many for this key's limit, or one spoils the others.
      most = [400, 413, 429].includes(answer.status) ? Math.ceil(batch.length / 2) : MAX_BATCH;
      if (final.length < batch.length) await sleep(pause(misses, answer), this.#stopped.signal);
    }
  }

  /** @param {string} line @param {Answer} answer @param {Problem & {status: number}} result */
  #isFinal(line, answer, result) {
    if (result.status < 300) return true;
    if (again(result.status)) return false;
    try {
      const error = new Refused('POST awards/batch', { ...answer, status: result.status, document: result });
      this.#options.onRefused(JSON.parse(line), error);
      return true;
    } catch (error) {
      console.error(error);
      return false;
    }
  }

  /**
   * The document of a success. The same request is sent again while there is no final answer.
   *
   * @param {string} method @param {string} path @param {unknown} [body] @param {boolean} [byKey]
   * @returns {Promise<any>}
   */
  async #call(method, path, body, byKey = false) {
    const [sent, parent] = [body === undefined ? null : JSON.stringify(body), this.#options.traceparent?.()];
    for (let misses = 1; ; misses += 1) {
      const answer = await this.#answer(method, path, sent, byKey, parent);
      const error = failure(`${method} ${path}`, answer);
      if (!error) return answer.document;
      const wait = pause(misses, answer);
      if (error instanceof Refused || misses >= this.#options.attempts || wait > LONGEST_WAIT_MS) throw error;
      await sleep(wait);
    }
  }

  /**
   * @param {string} method @param {string} path @param {string | null} body @param {boolean} byKey
   * @param {string} [parent] @returns {Promise<Answer>}
   */
  async #answer(method, path, body, byKey, parent) {
    const ending = anyOf(this.#stopped.signal);
    const timer = setTimeout(ending.end, this.#options.timeout, new Error('timed out'));
    const requestId = newId();
    try {
      const response = await this.#fetch(method, path, body, byKey, { signal: ending.signal, requestId, parent });
      return await answerOf(response, requestId);
    } catch (error) {
      return noAnswer(requestId, error);
    } finally {
      clearTimeout(timer);
      ending.end();
    }
  }

  /**
   * @param {string} method @param {string} path @param {string | null} body @param {boolean} byKey
   * @param {{signal: AbortSignal, requestId?: string, parent?: string | undefined}} more
   */
  async #fetch(method, path, body, byKey, { signal, requestId, parent }) {
    const { key, token } = this.#options;
    const credentials = byKey ? key : typeof token === 'function' ? await token() : token;
    const headers = new Headers(body === null ? {} : { 'Content-Type': 'application/json' });
    if (credentials) headers.set('Authorization', `Bearer ${credentials}`);
    // A browser asks a foreign site before each GET that has such a header.
    if (requestId && body !== null) headers.set('X-Request-ID', requestId);
    if (parent) headers.set('traceparent', parent);
    return fetch(this.#base + path, { method, headers, body, signal, cache: 'no-store', redirect: 'manual' });
  }
}

/** @param {string} what @returns {true} */
function serverOnly(what) {
  if ('document' in globalThis || ('WorkerGlobalScope' in globalThis && 'location' in globalThis)) {
    throw new Error(`${what} is for your server: in a browser every visitor could read the API key`);
  }
  return true;
}

/** What is wrong with an answer, if anything. @param {string} said @param {Answer} answer */
function failure(said, answer) {
  if (answer.status >= 200 && answer.status < 300 && answer.document?.success) return undefined;
  // A success that is none of ours is a proxy's, or that of a network where one has to sign in first.
  return new (again(answer.status) || answer.status < 300 ? Unavailable : Refused)(said, answer);
}

/** @param {number} status */
function again(status) {
  return AGAIN.includes(status) || status >= 500;
}

/** @param {Response} response @param {string} [requestId] @returns {Promise<Answer>} */
async function answerOf(response, requestId = '') {
  const text = await response.text();
  const { status, headers } = response;
  let document = null;
  try {
    document = JSON.parse(text);
  } catch {} // a proxy's page
  requestId = headers.get('X-Request-ID') ?? requestId;
  return { status, requestId, retryAfter: headers.get('Retry-After') ?? '', document };
}

/** @param {string} requestId @param {unknown} cause @returns {Answer} */
function noAnswer(requestId, cause) {
  return { status: 0, requestId, retryAfter: '', document: null, cause };
}

/** The query that names a board. @param {string} board @param {string} [period] @param {Record<string, string>} [more] */
function which(board, period, more) {
  return new URLSearchParams({ board, ...(period && { period }), ...more });
}

function newId() {
  return Array.from({ length: 4 }, () => Math.random().toString(36).slice(2, 10).padEnd(8, '0')).join('');
}

/**
 * Milliseconds to wait: what the server says, else twice as long each time; never quite alike.
 *
 * @param {number} misses @param {Answer} answer
 */
function pause(misses, { retryAfter }) {
  if (/^\d+$/.test(retryAfter)) return (Math.min(Number(retryAfter), LONGEST_SAID_S) + Math.random()) * 1000;
  return (Math.min(FIRST_WAIT_MS * 2 ** misses, LONGEST_WAIT_MS) * (1 + Math.random())) / 2;
}

/**
 * A signal that any of these ends, or its `end`; which also lets go of them.
 *
 * @param {(AbortSignal | undefined)[]} signals
 */
function anyOf(...signals) {
  const own = new AbortController();
  /** @param {unknown} [reason] */
  const end = (reason) => {
    for (const signal of signals) signal?.removeEventListener('abort', end);
    own.abort(reason);
  };
  for (const signal of signals) signal?.addEventListener('abort', end);
  if (signals.some((signal) => signal?.aborted)) end();
  return { signal: own.signal, end };
}

/** @param {number} milliseconds @param {(AbortSignal | undefined)[]} signals any of them ends it early */
function sleep(milliseconds, ...signals) {
  return new Promise((resolve) => {
    const ending = anyOf(...signals);
    const timer = setTimeout(ending.end, milliseconds);
    ending.signal.addEventListener('abort', () => resolve(clearTimeout(timer)));
    if (ending.signal.aborted) resolve(clearTimeout(timer));
  });
}

/** @param {ReadableStream<Uint8Array>} body @returns {AsyncGenerator<string, void, void>} */
async function* lines(body) {
  const [reader, decoder] = [body.getReader(), new TextDecoder()];
  for (let [rest, part] = ['', await reader.read()]; !part.done; part = await reader.read()) {
    const whole = (rest + decoder.decode(part.value, { stream: true })).split('\n');
    rest = whole.pop() ?? '';
    yield* whole;
  }
}
