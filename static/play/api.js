// @ts-check
/**
 * The public API from a page: the session says who asks, the CSRF cookie that the page itself asks.
 *
 * @typedef {{action_id: string, action_type: string, points: number, action_token: string,
 *            issued_at: string, expires_at: string}} Minted
 * @typedef {{action_id: string, new_score: number, rank: number|null, score_delta: number}} Redeemed
 * @typedef {{type: string, title: string, status: number, detail: string,
 *            original?: {new_score: number, score_delta: number}}} Problem
 */

const TIMEOUT_MS = 10_000;
const QUEUED_MS = 1_000; // between two questions

/** The server answered, and the answer is no: `problem` is its RFC 9457 document. */
export class Refused extends Error {
  /** @param {number} status @param {Problem|null} problem @param {number|null} retryAfter seconds */
  constructor(status, problem, retryAfter) {
    super(problem?.detail ?? `The server answered ${status}.`);
    this.status = status;
    this.problem = problem;
    this.retryAfter = retryAfter;
  }
}

/** No answer came: the request may or may not have arrived. */
export class Unreachable extends Error {}

// Beside this file's own folder, wherever on its host the site is.
const API = new URL('../../api/v1/', import.meta.url);
const csrfToken = () =>
  new RegExp(`(?:^|;\\s*)${document.documentElement.dataset.csrfCookie}=([^;]+)`).exec(document.cookie)?.[1] ?? '';

/** @param {string} path @param {object} [body] what to POST; without it, GET */
async function call(path, body) {
  /** @type {RequestInit} */
  const request = { headers: { Accept: 'application/json' }, signal: AbortSignal.timeout(TIMEOUT_MS) };
  if (body) {
    request.method = 'POST';
    request.headers = { 'Content-Type': 'application/json', 'X-CSRFToken': csrfToken() };
    request.body = JSON.stringify(body);
  }
  let answer, text;
  try {
    answer = await fetch(new URL(path, API), request);
    text = await answer.text(); // an answer that breaks off in its body is no answer either
  } catch (error) {
    throw new Unreachable('The server cannot be reached.', { cause: error });
  }
  const json = parsed(text);
  if (!answer.ok) throw new Refused(answer.status, json, Number(answer.headers.get('Retry-After')) || null);
  if (json === null) throw new Unreachable('The answer is not the server’s.');
  return json.data;
}

/** A gateway's error page is not JSON. */
function parsed(/** @type {string} */ text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** @param {string} type @returns {Promise<Minted>} */
export const mint = (type) => call('action/token', { action_type: type });

/** @param {Minted} token @param {number} timestamp Unix seconds @returns {Promise<Redeemed>} */
export async function redeem({ action_id, action_type, action_token }, timestamp) {
  const said = await call('score/update', { action_id, action_type, action_token, timestamp });
  return said.work_id ? queued(said.work_id) : said;
}

/** A busy site has answered 202: what became of it. @param {string} work @returns {Promise<Redeemed>} */
async function queued(work) {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, QUEUED_MS));
    const [result] = (await call(`score/requests/${work}`)).results ?? [];
    if (result?.status >= 300) throw new Refused(result.status, result, null);
    if (result) return result;
  }
}

/** @returns {Promise<{score: number, rank: number|null, players: number}>} */
export const me = () => call('score/me');
