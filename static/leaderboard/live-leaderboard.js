// @ts-check
/**
 * <live-leaderboard>, a live board on any page: no build step, no dependencies. Its public surface is in
 * live-leaderboard.d.ts.
 *
 * What the server sends is written as text; styles are constructed sheets, which a strict CSP allows.
 *
 * @import { LiveLeaderboard as PublicElement, Row, You, State, Transport, Labels } from './live-leaderboard.js'
 * @typedef {{epoch: string|null, seq: number|null, players: number, rows: Row[]}} Snapshot
 * @typedef {{period?: string|null, ends_at?: string|null, frozen_at?: string|null, now?: string|null}} Period
 * @typedef {Period & {code: string, next: string, detail: string}} Notice
 * @typedef {{close(): void, opened: boolean, since: number, greeted?: boolean, send?(message: object): void}} Link
 */

/** @type {Transport[]} best first */
const RUNGS = ['websocket', 'sse', 'polling'];
const BACKOFF_BASE_MS = 500;
const BACKOFF_CAP_MS = 30_000;
const OPEN_TIMEOUT_MS = 8_000;
const STEADY_MS = 10_000; // then the back-off starts afresh
const SILENCE_MS = 35_000; // two pings of the server
const POLL_MS = 3_000;
const PROBE_MS = 15_000; // for better than polling
const HIDDEN_GRACE_MS = 5_000;
const SUMMARY_MS = 10_000; // between changes read out
const DELTA_MS = 1_600;
const UNKNOWN_MS = 5_000; // for a new connection to say who views
const NOTICE_MS = 60_000;
const FATAL = /** @type {Record<number, keyof Labels>} */ ({ 4501: 'private', 4503: 'refused' });
const NOT_LIVE = 4504; // no such board, or over

/** Every word; some in plural forms, by Intl.PluralRules. */
const WORDS = /** @type {Required<Labels>} */ ({
  label: 'Leaderboard',
  rank: 'Rank',
  player: 'Player',
  score: 'Score',
  you: 'You',
  players: { one: '{n} player', other: '{n} players' },
  empty: 'Nobody has scored yet. The first points go to the top.',
  signIn: 'Sign in again to see your place',
  retry: 'Try now',
  connecting: 'Connecting…',
  live: 'Live',
  polling: 'Updating every few seconds',
  reconnecting: 'Reconnecting…',
  paused: 'Paused',
  final: 'Final',
  ends: 'Ends {in}',
  ended: '{period} has ended. Now: {next}',
  frozen: 'Frozen {ago}',
  closed: 'Disconnected',
  private: 'Sign in to see this board',
  refused: 'This site may not show the board',
  missing: 'There is no such board',
  updated: '{state} · last updated {ago}',
  leads: { one: '{name} leads with {score} point.', other: '{name} leads with {score} points.' },
  place: 'You are at rank {rank}.',
});

/**
 * The connection to one board: WebSocket, else SSE, else polling, with full-jitter back-off. Lets only what is newer
 * through to its listener.
 */
class Feed {
  /** @type {string|null} */ #epoch = null;
  #seq = -1;
  #rung = 0;
  #tries = 0; // on this rung
  #failures = 0; // in a row, on any rung
  #worked = new Set(); // rungs that have ever opened
  /** @type {Link|null} */ #link = null;
  #retryTimer = 0;
  #watchdog = 0;
  /** @type {number|null} */ #retryAfter = null; // ms the server asked for
  #first = false; // REST is asked before any connection: the period may be over
  #mayAskMe = true; // false after a refusal: `you` may be an earlier token's
  running = false;

  /**
   * @param {{site: string, board: string, period: string|null, limit: number, token: string|null}} where
   * @param {{snapshot(data: Snapshot, via: Transport): void, you(you: You|null): void, board(board: Period): void, notice(notice: Notice): void,
   *          viewer(id: string|null, first: boolean): void, unproved(): void, confirmed(players?: number|null): void,
   *          state(state: State, transport: Transport|null, reason: keyof Labels|null): void}} listener
   */
  constructor(where, listener) {
    this.where = where;
    this.listener = listener;
  }

  start() {
    if (this.running) return;
    this.running = this.#mayAskMe = true;
    this.#first = Boolean(this.where.period);
    this.#rung = this.#first ? 2 : 0;
    this.#tries = this.#failures = 0;
    this.#open();
  }

  stop() {
    this.running = false;
    this.#drop();
  }

  retryNow() {
    if (this.running && this.#link?.opened) return;
    this.stop();
    this.start();
  }

  /** @param {string|null} token null takes a new connection */
  authenticate(token) {
    this.where.token = token;
    this.#mayAskMe = true;
    if (!this.running) return;
    if (token && this.transport === 'polling') return;
    if (token && this.#link?.send) return this.#link.send({ type: 'authenticate', token });
    this.stop();
    this.start();
  }

  #unproved() {
    this.where.token = null;
    this.#mayAskMe = false;
    this.listener.unproved();
  }

  get transport() {
    return RUNGS[this.#rung];
  }

  #drop() {
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#watchdog);
    const link = this.#link;
    this.#link = null; // first: the old link is not heard any more
    link?.close();
  }

  #open() {
    this.#drop();
    // EventSource cannot carry a token.
    if (this.transport === 'sse' && this.where.token) this.#rung = 2;
    /** @type {Link} */
    let link;
    try {
      link = { websocket: () => this.#socket(), sse: () => this.#events(), polling: () => this.#poll() }[this.transport]();
    } catch {
      // ws: on an https: page
      link = { opened: false, since: Date.now(), close() {} };
      this.#later(() => this.#lost(link, 0), 0);
    }
    this.#link = link;
    this.#watch(link, OPEN_TIMEOUT_MS);
  }

  /** @param {string} path @param {string} [scheme] */
  #url(path, scheme) {
    const url = new URL(this.where.site + path);
    if (scheme) url.protocol = url.protocol.replace('http', scheme);
    url.searchParams.set('board', this.where.board);
    if (this.where.period) url.searchParams.set('period', this.where.period);
    return url;
  }

  #top(/** @type {string} */ path, /** @type {string} */ scheme = '') {
    const url = this.#url(path, scheme);
    url.searchParams.set('limit', String(this.where.limit));
    return url;
  }

  /** @returns {Link} */
  #socket() {
    const socket = new WebSocket(this.#top('/scoreboard/live', 'ws'));
    /** @type {Link} */
    const link = {
      opened: false,
      since: Date.now(),
      send: (message) => void (socket.readyState === WebSocket.OPEN && socket.send(JSON.stringify(message))),
      close: () => {
        socket.onopen = socket.onmessage = socket.onclose = null;
        socket.close(1000);
      },
    };
    socket.onopen = () => {
      if (this.where.token) link.send?.({ type: 'authenticate', token: this.where.token });
      if (this.#epoch !== null) link.send?.({ type: 'resume', epoch: this.#epoch, seq: this.#seq });
    };
    socket.onmessage = (event) => this.#heard(link, event.data);
    socket.onclose = (event) => this.#lost(link, event.code);
    return link;
  }

  /** @returns {Link} */
  #events() {
    const source = new EventSource(this.#top('/api/v1/scoreboard/stream'));
    /** @type {Link} */
    const link = { opened: false, since: Date.now(), close: () => source.close() };
    for (const type of ['connection_success', 'leaderboard_update', 'you', 'current', 'notice', 'ping', 'bye'])
      source.addEventListener(type, (event) => this.#heard(link, event.data));
    source.onerror = (event) =>
      event instanceof MessageEvent ? this.#heard(link, event.data) : this.#lost(link, 0);
    return link;
  }

  /** @returns {Link} */
  #poll() {
    const stop = new AbortController();
    /** @type {Link} */
    const link = { opened: false, since: Date.now(), close: () => stop.abort() };
    const again = () => {
      if (link !== this.#link) return;
      if (this.#first || Date.now() - link.since > PROBE_MS) {
        this.#first = false;
        this.#rung = 0;
        this.#tries = 2;
        this.#open();
      } else this.#pollOnce(link, stop.signal).then(() => this.#later(again, POLL_MS * (0.8 + 0.4 * Math.random())), lost);
    };
    const lost = () => this.#lost(link, 0);
    this.#pollOnce(link, stop.signal).then(() => this.#later(again, this.#first ? 0 : POLL_MS), lost);
    return link;
  }

  /** @param {Link} link @param {AbortSignal} signal @returns {Promise<void>} */
  async #pollOnce(link, signal) {
    const { token } = this.where;
    const headers = token ? { Authorization: `Bearer ${token}` } : undefined;
    // The browser's own If-None-Match needs no CORS preflight.
    const answer = await fetch(this.#top('/api/v1/scoreboard/top'), { headers, signal, cache: 'no-cache' });
    if (link !== this.#link) return;
    if (!answer.ok) {
      if (answer.status === 401 && headers) {
        if (token === this.where.token) this.#unproved();
        return link === this.#link ? this.#pollOnce(link, signal) : undefined;
      }
      if ([400, 404].includes(answer.status)) return this.#close('missing');
      if ([401, 403].includes(answer.status)) return this.#close('private');
      this.#retryAfter = Number(answer.headers.get('Retry-After')) * 1000 || null;
      throw new Error(`HTTP ${answer.status}`);
    }
    const body = await answer.json();
    if (link !== this.#link) return;
    const over = body.board?.closed_at;
    if (!over && !this.#first) this.#alive(link);
    this.listener.board({ ...body.board, now: answer.headers.get('Date') });
    this.#take({ epoch: body.epoch, seq: body.seq, players: body.players, rows: body.data });
    if (token === this.where.token && this.#mayAskMe && (headers || new URL(this.where.site).origin === location.origin)) await this.#askMe(headers, signal);
    if (over && link === this.#link) this.#close(null);
  }

  /** @param {Record<string, string>|undefined} headers @param {AbortSignal} signal */
  async #askMe(headers, signal) {
    const { token } = this.where;
    const answer = await fetch(this.#url('/api/v1/score/me'), { headers, signal });
    if (token !== this.where.token) return;
    if (answer.status === 401 || answer.status === 403) return this.#unproved();
    if (!answer.ok) return this.listener.you(null); // it may be old
    const { data } = await answer.json();
    this.listener.viewer(data.user_id, false);
    this.listener.you(data);
  }

  /** @param {Link} link @param {string} text */
  #heard(link, text) {
    if (link !== this.#link) return;
    let message;
    try {
      message = JSON.parse(text);
    } catch {
      return;
    }
    if (message.type === 'error') return void (message.code === 'not-authenticated' && this.#unproved());
    if (message.type === 'bye') {
      this.#retryAfter = message.retry_ms;
      return this.#lost(link, 4000);
    }
    this.#alive(link);
    if (message.type === 'notice') return this.listener.notice(message);
    if (message.board) this.listener.board(message);
    if (message.type === 'connection_success') {
      if (message.user_id) this.#mayAskMe = true;
      this.listener.viewer(message.user_id ?? null, !link.greeted);
      link.greeted = true;
    }
    else if (message.type === 'leaderboard_update') this.#take({ ...message, rows: message.top });
    else if (message.type === 'you') this.#mayAskMe && this.listener.you(message);
    else if (message.type === 'current') this.#current(message);
    else if (message.type === 'ping') this.#ping(link, message);
  }

  /** @param {{epoch: string, seq: number, players?: number}} message */
  #current({ epoch, seq, players }) {
    if (epoch === this.#epoch) this.#seq = Math.max(this.#seq, seq);
    this.listener.confirmed(players);
  }

  /** @param {Link} link @param {{epoch: string|null, seq: number|null, players?: number|null}} message */
  #ping(link, { epoch, seq, players }) {
    if (epoch == null || seq == null) return;
    if (epoch === this.#epoch && seq <= this.#seq) return this.listener.confirmed(players);
    if (link.send) link.send({ type: 'resume', epoch: this.#epoch ?? '', seq: this.#seq });
    else this.#open();
  }

  #take(/** @type {Snapshot} */ snapshot) {
    const { epoch, seq } = snapshot;
    if (epoch !== null && seq !== null) {
      if (epoch === this.#epoch && seq <= this.#seq) return this.listener.confirmed();
      this.#epoch = epoch;
      this.#seq = seq;
    }
    this.listener.snapshot(snapshot, this.transport);
  }

  #alive(/** @type {Link} */ link) {
    this.#watch(link, SILENCE_MS);
    if (link.opened) return;
    link.opened = true;
    this.#worked.add(this.#rung);
    this.#tries = 0;
    this.listener.state(this.transport === 'polling' ? 'polling' : 'live', this.transport, null);
  }

  #watch(/** @type {Link} */ link, /** @type {number} */ ms) {
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => this.#lost(link, 0), ms);
  }

  #later(/** @type {() => void} */ action, /** @type {number} */ ms) {
    clearTimeout(this.#retryTimer);
    if (this.running) this.#retryTimer = setTimeout(action, ms);
  }

  /** @param {Link} link @param {number} code of the WebSocket, or 0 */
  #lost(link, code) {
    if (link !== this.#link) return;
    this.#drop();
    this.#first = false;
    if (code === NOT_LIVE) {
      this.#rung = 2; // REST knows why
      return this.#open();
    }
    if (code >= 4500 && code < 5000) return this.#close(FATAL[code] ?? 'closed');
    let wait = Math.random() * Math.min(BACKOFF_CAP_MS, BACKOFF_BASE_MS * 2 ** this.#failures);
    if (link.opened) {
      this.#failures = Date.now() - link.since > STEADY_MS ? 0 : this.#failures + 1;
      this.#rung = this.#tries = 0;
    } else if (this.#rung === RUNGS.length - 1) {
      this.#failures += 1;
      this.#rung = this.#tries = 0;
    } else if (++this.#tries >= (this.#worked.has(this.#rung) ? 3 : 1)) {
      this.#rung += 1;
      this.#tries = 0;
      wait = Math.random() * 250;
    } else this.#failures += 1;
    this.listener.state('reconnecting', null, null);
    this.#later(() => this.#open(), Math.max(wait, this.#retryAfter ?? 0));
    this.#retryAfter = null;
  }

  /** @param {keyof Labels|null} reason null: the period is over */
  #close(reason) {
    this.stop();
    this.listener.state(reason ? 'closed' : 'final', null, reason);
  }
}

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag @param {Record<string, string>} attributes @param {(Node|string)[]} children
 */
function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const initials = (/** @type {string} */ name) => {
  const words = name.split(/[\s_\-.]+/u).filter(Boolean);
  const [first, last] = [words[0] ?? name, words.length > 1 ? words[words.length - 1] : ''].map(firstCharacter);
  return (/^[\p{L}\p{N}]/u.test(first) ? first + last : first).toLocaleUpperCase();
};
const firstCharacter = (/** @type {string} */ text) =>
  new Intl.Segmenter().segment(text)[Symbol.iterator]().next().value?.segment ?? '';

const hue = (/** @type {string} */ id) => [...id].reduce((sum, c) => (sum * 31 + c.charCodeAt(0)) % 360, 7);

class Speech {
  /** @param {string|undefined} lang */
  constructor(lang) {
    this.numbers = new Intl.NumberFormat(lang);
    this.changes = new Intl.NumberFormat(lang, { signDisplay: 'always' });
    this.plurals = new Intl.PluralRules(lang);
    this.times = new Intl.RelativeTimeFormat(lang, { style: 'short' });
  }

  /** @param {number} ms from now; less than 0: ago */
  when(ms) {
    const seconds = Math.trunc(ms / 1000);
    const far = Math.abs(seconds);
    if (far < 60) return this.times.format(seconds, 'second');
    if (far < 3600) return this.times.format(Math.trunc(seconds / 60), 'minute');
    if (far < 172_800) return this.times.format(Math.trunc(seconds / 3600), 'hour');
    return this.times.format(Math.trunc(seconds / 86_400), 'day');
  }
}

class Line {
  score = 0;
  /** @type {string|null|undefined} */ avatarURL = undefined;

  constructor(/** @type {Speech} */ speech) {
    this.speech = speech;
    this.rank = h('span', { class: 'n' });
    this.face = h('span', { part: 'avatar', 'aria-hidden': 'true' });
    this.name = h('bdi', { part: 'name' });
    this.value = h('span', { class: 'n' });
    this.delta = h('span', { part: 'delta', 'aria-hidden': 'true' });
    this.element = h(
      'tr',
      { role: 'row', part: 'row' },
      h('td', { role: 'cell', part: 'rank' }, this.rank),
      h('th', { role: 'rowheader', scope: 'row', part: 'player' }, this.face, this.name),
      h('td', { role: 'cell', part: 'score' }, this.delta, this.value),
    );
  }

  /** @param {{rank: number|null, score: number, username: string, user_id: string, avatar: string|null, tier?: string|null}} row */
  show(row, /** @type {boolean} */ mine, /** @type {boolean} */ flash) {
    const parts = ['row', mine && 'you', row.rank !== null && row.rank <= 3 && `top${row.rank}`];
    this.element.setAttribute('part', parts.filter(Boolean).join(' '));
    this.element.ariaCurrent = mine ? 'true' : null;
    const { numbers } = this.speech;
    this.rank.textContent = row.rank === null ? '–' : numbers.format(row.rank);
    this.value.textContent = numbers.format(row.score);
    this.value.className = this.value.textContent.length > 12 ? 'n long' : 'n';
    if (this.name.textContent !== row.username) {
      this.name.textContent = this.name.title = row.username;
      this.avatarURL = undefined; // the initials are the new name's
    }
    if (this.avatarURL !== row.avatar) this.portray(row);
    this.name.dataset.tier = row.tier ?? '';
    if (flash && row.score !== this.score) this.flash(row.score - this.score);
    this.score = row.score;
  }

  portray(/** @type {{username: string, user_id: string, avatar: string|null}} */ row) {
    this.avatarURL = row.avatar;
    this.face.style.setProperty('--hue', String(hue(row.user_id)));
    this.face.replaceChildren(initials(row.username));
    if (!row.avatar || !/^https?:/i.test(row.avatar)) return;
    const image = h('img', { alt: '', loading: 'lazy', decoding: 'async', referrerpolicy: 'no-referrer' });
    image.onerror = () => image.remove(); // the initials are underneath
    image.src = row.avatar;
    this.face.append(image);
  }

  flash(/** @type {number} */ change) {
    this.delta.textContent = this.speech.changes.format(change);
    this.delta.getAnimations().forEach((animation) => animation.cancel());
    const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
    this.delta.animate(
      still
        ? { opacity: [1, 1] }
        : { opacity: [0, 1, 1, 0], transform: ['translateY(.4em)', 'none', 'none', 'translateY(-.4em)'] },
      DELTA_MS,
    );
  }
}

/** The `--lb-` properties that are colours. */
const COLOURS = ['background', 'color', 'muted', 'line', 'accent', 'you', 'good', 'bad'];
const CSS = `
:host { display: block; color-scheme: light dark; container-type: inline-size;
  --_bg: var(--lb-background, light-dark(#fff, #171a21)); --_fg: var(--lb-color, light-dark(#171a21, #eef0f4));
  --_muted: var(--lb-muted, light-dark(#596170, #a3abba)); --_line: var(--lb-line, light-dark(#e4e7ec, #2b303b));
  --_accent: var(--lb-accent, light-dark(#3346c9, #a9b7ff)); --_you: var(--lb-you, light-dark(#edf0ff, #23294a));
  --_good: var(--lb-good, light-dark(#0b6b3a, #6fdc9f)); --_bad: var(--lb-bad, light-dark(#a8261c, #ff9d94)); }
:host([theme="light"]) { color-scheme: light; } :host([theme="dark"]) { color-scheme: dark; } :host([hidden]) { display: none; }
* { box-sizing: border-box; }
.board { background: var(--_bg); color: var(--_fg); border: 1px solid var(--_line); border-radius: var(--lb-radius, 14px);
  font: var(--lb-font, 400 1rem/1.4 system-ui, sans-serif); overflow: clip; }
.head, .foot { display: flex; flex-wrap: wrap; gap: .25rem 1rem; align-items: center; justify-content: space-between; padding: .85rem 1.1rem; }
.head { border-bottom: 1px solid var(--_line); } .foot { color: var(--_muted); font-size: .875em; padding-block: .7rem; }
[part=caption] { font-weight: 650; font-size: 1.0625em; }
[part=status] { display: inline-flex; gap: .5em; align-items: center; color: var(--_muted); font-size: .875em; font-variant-numeric: tabular-nums; }
[part=status]::before { content: ""; width: .6em; height: .6em; border-radius: 50%; background: currentColor; }
[data-state=live] [part=status] { color: var(--_good); } [data-state=reconnecting] [part=status], [data-state=closed] [part=status] { color: var(--_bad); }
[data-frozen] [part=status] { color: var(--_muted); }
p:empty { display: none; } [part=sign-in], [part=notice] { margin: 0; padding: .7rem 1.1rem; border-top: 1px solid var(--_line); font-weight: 600; }
[part=retry] { font: inherit; color: var(--_accent); background: none; border: 1px solid currentColor; border-radius: 99px; padding: .1em .8em; cursor: pointer; }
:focus-visible { outline: 2px solid var(--_accent); outline-offset: -2px; } [part=retry]:focus-visible { outline-offset: 2px; }
.scroll { overflow: auto; max-height: var(--lb-max-height, none); }
table, thead, tbody { display: block; } table { border-collapse: collapse; }
tr { display: grid; grid-template-columns: minmax(3.25rem, auto) minmax(0, 1fr) auto; align-items: center; gap: .75rem;
  padding: var(--lb-row-padding, .5rem 1.1rem); background: var(--_row, var(--_bg)); position: relative; }
tbody tr + tr { border-top: 1px solid var(--_line); }
thead tr { padding-block: .45rem; color: var(--_muted); font-size: .8125em; }
th, td { padding: 0; font-weight: inherit; text-align: start; } th:last-child, td:last-child { text-align: end; }
.n { font-variant-numeric: tabular-nums; }
[part=rank] .n { display: inline-block; min-width: 2.1em; padding: .15em .35em; border-radius: 99px; text-align: center; color: var(--_n, var(--_muted)); }
[part~=top1] [part=rank] .n { background: #f7c948; color: #3d2c00; font-weight: 650; } [part~=top2] [part=rank] .n { background: #cfd6e0; color: #232a35; font-weight: 650; }
[part~=top3] [part=rank] .n { background: #e0a878; color: #3a1f08; font-weight: 650; }
[part=player] { display: flex; gap: .7rem; align-items: center; min-width: 0; }
[part=avatar] { position: relative; flex: none; display: grid; place-items: center; width: 2.1em; height: 2.1em; border-radius: 50%; overflow: clip; font-size: .875em; font-weight: 600;
  background: hsl(var(--hue, 230) var(--_s, 60%) 88%); color: hsl(var(--hue, 230) 70% 22%); }
[part=avatar] img { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: cover; background: var(--_bg); }
[part=name]::after { content: " " attr(data-tier); color: var(--_n, var(--_muted)); }
[part=name] { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; min-width: 0; }
[part=score] { position: relative; font-weight: 600; white-space: nowrap; }
[part=delta] { opacity: 0; position: absolute; inset-inline-end: 100%; margin-inline-end: .5em; padding: 0 .4em; border-radius: 99px;
  background: var(--_good); color: var(--_on-good, var(--_bg)); font-size: .8125em; line-height: 1.6; pointer-events: none; font-variant-numeric: tabular-nums; }
[part~=you] { background: var(--_you); color: var(--_you-fg, var(--_fg)); --_n: var(--_you-muted); } [part~=you] [part=name] { font-weight: 650; }
[part~=you]::before { content: ""; position: absolute; inset-block: 0; inset-inline-start: 0; width: 3px; background: var(--_accent); }
tbody.mine:not(:empty) { border-top: 3px double var(--_line); }
[part=empty] { padding: 2.5rem 1.1rem; text-align: center; color: var(--_muted); margin: 0; }
[hidden] { display: none !important; }
.sr { position: absolute; width: 1px; height: 1px; margin: -1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@container (max-width: 26rem) { tr { gap: .5rem; padding-inline: .7rem; grid-template-columns: minmax(2.25rem, auto) minmax(0, 1fr) auto; } .long { font-size: .78em; } .head, .foot { padding-inline: .9rem; } [part=player] { gap: .5rem; } }
@media (forced-colors: active) { [part~=you] { outline: 2px solid; outline-offset: -2px; } }
`;

/** @type {CSSStyleSheet|undefined} */
let sheet;
const styles = () => {
  if (!sheet) (sheet = new CSSStyleSheet()).replaceSync(CSS);
  return sheet;
};

/** What stays inside the shadow root; words come later. */
function scaffold() {
  const caption = h('span', { part: 'caption', id: 'caption' });
  const status = h('span', { part: 'status' });
  const again = h('button', { part: 'retry', type: 'button', hidden: '' });
  const body = h('tbody', { role: 'rowgroup' });
  const own = h('tbody', { role: 'rowgroup', class: 'mine' });
  const empty = h('p', { part: 'empty', hidden: '' });
  const signIn = h('p', { part: 'sign-in', role: 'status' });
  const notice = h('p', { part: 'notice', role: 'status' });
  const total = h('span', { part: 'players' });
  const ends = h('span', { part: 'ends' });
  const spoken = h('p', { class: 'sr', role: 'status' });
  const columns = [0, 1, 2].map(() => h('th', { role: 'columnheader', scope: 'col' }));
  const table = h(
    'table',
    { part: 'table', role: 'table', 'aria-labelledby': 'caption', hidden: '' },
    h('thead', { role: 'rowgroup', part: 'columns' }, h('tr', { role: 'row' }, ...columns)),
    body,
    own,
  );
  const scroller = h('div', { class: 'scroll', role: 'group', tabindex: '0', 'aria-labelledby': 'caption' }, table, empty);
  const fallback = h('slot'); // the page's own content, until there is a board
  const frame = h(
    'section',
    { class: 'board', part: 'board', 'aria-labelledby': 'caption' },
    h('div', { class: 'head', part: 'head' }, caption, status),
    scroller,
    fallback,
    notice,
    signIn,
    h('div', { class: 'foot', part: 'foot' }, total, ends, again),
    spoken,
  );
  return { caption, status, again, body, own, empty, notice, signIn, total, ends, spoken, columns, table, scroller, fallback, frame };
}

/** @implements {PublicElement} */
class LiveLeaderboard extends HTMLElement {
  static observedAttributes = ['src', 'board', 'period', 'limit', 'label', 'lang', 'auth-url'];

  #ui = scaffold();
  /** @type {Feed|null} */ #feed = null;
  /** @type {string|null} */ #token = null;
  /** @type {State} */ #state = 'connecting';
  /** @type {keyof Labels|null} */ #reason = null;
  /** @type {Labels} */ #labels = {};
  #speech = new Speech(undefined);
  /** @type {Snapshot|null} */ #snapshot = null;
  /** @type {You|null} */ #you = null;
  /** @type {string|null} */ #viewer = null;
  #updatedAt = 0; // Date.now()
  /** @type {string|null} */ #period = null;
  #endsAt = 0; // Unix ms by the server's clock
  #frozenAt = 0;
  #skew = 0; // ms by which the server's clock is ahead
  #noticeAt = 0; // Date.now()
  /** @type {Map<string, Line>} */ #lines = new Map();
  /** @type {Line|null} */ #mine = null;
  /** @type {(() => Promise<string|null>)|null} */ #getToken = null;
  /** @type {import('./renewal.js').Follower|null} */ #renewal = null;
  #following = 0; // the last load of renewal.js
  #had = false; // a token or a session, which has ended
  #unknownSince = 0; // Date.now() of a connection that does not know the viewer yet
  #clock = 0;
  #hiding = 0;
  #summaryTimer = 0;
  #summarised = { at: 0, key: '' };
  /** @type {AbortController|null} */ #listening = null;

  constructor() {
    super();
    const root = this.attachShadow({ mode: 'open' });
    root.adoptedStyleSheets = [styles()];
    root.append(this.#ui.frame);
    this.#ui.again.addEventListener('click', () => this.reconnect());
  }

  connectedCallback() {
    // Set before this module had loaded.
    for (const [name, value] of Object.entries(this))
      if (name in LiveLeaderboard.prototype && Reflect.deleteProperty(this, name)) Reflect.set(this, name, value);
    this.#speak();
    this.#listening = new AbortController();
    const { signal } = this.#listening;
    document.addEventListener('visibilitychange', () => this.#visibility(), { signal });
    addEventListener('online', () => this.#state === 'reconnecting' && this.#feed?.retryNow(), { signal });
    addEventListener('pagehide', () => this.#pause(), { signal });
    addEventListener('pageshow', (event) => event.persisted && this.#resume(), { signal });
    this.#clock = setInterval(() => this.#tick(), 1000);
    this.#renew();
    this.#follow();
    this.#colour();
  }

  disconnectedCallback() {
    this.#listening?.abort();
    this.#listening = null;
    clearInterval(this.#clock);
    clearTimeout(this.#hiding);
    clearTimeout(this.#summaryTimer);
    this.#summaryTimer = 0;
    this.#feed?.stop();
    this.#feed = null;
    this.#following += 1;
    this.#renewal?.leave();
    this.#renewal = null;
  }

  /** @param {string} name @param {string|null} before @param {string|null} after */
  attributeChangedCallback(name, before, after) {
    if (before === after || !this.#listening) return;
    if (name === 'label' || name === 'lang') this.#speak();
    else if (name === 'auth-url') this.#follow();
    else {
      if (name !== 'limit') this.#forget();
      this.#renew();
    }
  }

  get src() {
    return this.getAttribute('src') ?? '';
  }
  set src(value) {
    this.setAttribute('src', value);
  }
  get board() {
    return this.getAttribute('board') || 'global';
  }
  set board(value) {
    this.setAttribute('board', value);
  }
  get period() {
    return this.getAttribute('period') || null;
  }
  set period(value) {
    this.setAttribute('period', value ?? '');
  }
  get limit() {
    const wanted = Number.parseInt(this.getAttribute('limit') ?? '', 10);
    return Number.isNaN(wanted) ? 10 : Math.min(100, Math.max(1, wanted));
  }
  set limit(value) {
    this.setAttribute('limit', String(value));
  }
  get theme() {
    const theme = this.getAttribute('theme');
    return theme === 'light' || theme === 'dark' ? theme : 'auto';
  }
  set theme(value) {
    this.setAttribute('theme', value);
  }
  get label() {
    return this.getAttribute('label') || this.#say('label');
  }
  set label(value) {
    this.setAttribute('label', value);
  }
  get token() {
    return this.#token;
  }
  set token(value) {
    if (value === this.#token) return;
    this.#present(value);
    if (this.#listening) this.#follow();
  }
  get getToken() {
    return this.#getToken;
  }
  set getToken(value) {
    if (value === this.#getToken) return;
    this.#getToken = value;
    if (this.#listening) this.#follow();
  }
  get labels() {
    return this.#labels;
  }
  set labels(value) {
    this.#labels = value ?? {};
    if (this.#listening) this.#speak();
  }
  get state() {
    return this.#state;
  }
  get rows() {
    return this.#snapshot?.rows ?? [];
  }
  get you() {
    return this.#you;
  }

  reconnect() {
    if (this.#feed) this.#feed.retryNow();
    else if (this.isConnected) this.#renew();
  }

  /** @param {keyof Labels} key @param {Record<string, string>} [values] @param {number} [count] for the plural */
  #say(key, values = {}, count = 0) {
    let text = this.#labels[key] ?? WORDS[key];
    if (typeof text !== 'string') text = text[this.#speech.plurals.select(count)] ?? text.other;
    return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
  }

  #speak() {
    let around = /** @type {any} */ (this);
    while (around && !around.lang) around = around.parentNode ?? around.host;
    try {
      this.#speech = new Speech(around?.lang);
    } catch {
      this.#speech = new Speech(undefined); // it is no language
    }
    const { caption, columns, again, empty, body, own } = this.#ui;
    caption.textContent = this.label;
    const [rank, player, score] = columns;
    for (const [key, element] of Object.entries({ rank, player, score, retry: again, empty }))
      element.textContent = this.#say(/** @type {keyof Labels} */ (key));
    this.#lines.clear();
    this.#mine = null;
    body.replaceChildren();
    own.replaceChildren();
    if (this.#ui.signIn.textContent) this.#signedOut(true);
    this.#showStatus();
    this.#render(false);
    this.#summarised.key = '';
    if (this.#snapshot) this.#summarise();
  }

  #tick() {
    this.#showStatus();
    if (Date.now() > this.#noticeAt + NOTICE_MS) this.#ui.notice.textContent = '';
    if (this.#unknownSince && this.#state === 'live' && Date.now() > this.#unknownSince + UNKNOWN_MS) this.#ended();
    this.#colour();
  }

  async #colour() {
    const style = getComputedStyle(this);
    if (this.#ui.frame.style.length || COLOURS.some((name) => style.getPropertyValue(`--lb-${name}`)))
      (await import('./contrast.js')).keepReadable(this.#ui.frame);
  }

  /** Has the token watched, and the next one brought. */
  async #follow() {
    const mine = ++this.#following;
    this.#renewal?.leave();
    this.#renewal = null;
    const source = this.#getToken ?? this.getAttribute('auth-url');
    if (!source && !this.#token) return;
    const { follow } = await import('./renewal.js');
    if (mine !== this.#following) return;
    this.#renewal = follow(source, this.#token, (token) => {
      if (token) this.#present(token);
      else if (!this.#token) this.#signedOut(this.#had);
      // The server decides while it is connected.
      else if (this.#state !== 'live' && this.#state !== 'polling') this.#ended();
    });
  }

  /** @param {string|null} token */
  #present(token) {
    this.#token = token;
    this.#signedOut(false);
    if (token) this.#unknownSince &&= Date.now();
    else this.#forgetViewer();
    if (token && this.#feed && this.#done) this.#renew();
    else this.#feed?.authenticate(token);
  }

  /** The token or the session has ended. */
  #ended() {
    const { token, you } = this;
    if (!token && !this.#viewer && !you) return;
    this.#token = null;
    this.#had = true;
    if (this.#feed) this.#feed.where.token = null;
    this.#forgetViewer();
    this.#render(false);
    if (you) this.#emitUpdate(this.#feed?.transport ?? null);
    if (!token || !this.#renewal?.refused(token)) this.#signedOut(true);
  }

  #signedOut(/** @type {boolean} */ now) {
    const { signIn } = this.#ui;
    const before = signIn.textContent;
    if (!now) this.#had = false;
    signIn.textContent = now ? this.#say('signIn') : '';
    if (now && !before) this.#tell('signed-out', { board: this.board });
  }

  #tell(/** @type {string} */ what, /** @type {object} */ detail) {
    this.dispatchEvent(new CustomEvent(`leaderboard-${what}`, { bubbles: true, composed: true, detail }));
  }

  #forget() {
    this.#snapshot = this.#period = null;
    this.#updatedAt = this.#endsAt = this.#frozenAt = this.#noticeAt = 0;
    this.#forgetViewer();
    this.#lines.clear();
    this.#ui.body.replaceChildren();
    this.#ui.fallback.remove();
  }

  #renew() {
    this.#feed?.stop();
    let site = '';
    try {
      site = new URL(this.src || '/', location.href).href.replace(/\/*([?#].*)?$/, '');
    } catch {
      this.#setState('closed', null, 'missing');
      return;
    }
    /** @type {Feed} */
    const feed = new Feed(
      { site, board: this.board, period: this.period, limit: this.limit, token: this.#token },
      {
        snapshot: (data, via) => feed === this.#feed && this.#take(data, via),
        you: (you) => feed === this.#feed && this.#takeYou(you),
        board: (board) => feed === this.#feed && this.#takeBoard(board),
        notice: (notice) => feed === this.#feed && this.#takeNotice(notice),
        viewer: (id, first) => feed === this.#feed && this.#takeViewer(id, first),
        unproved: () => feed === this.#feed && this.#ended(),
        confirmed: (players) => feed === this.#feed && this.#confirm(players),
        state: (state, transport, reason) => feed === this.#feed && this.#setState(state, transport, reason),
      },
    );
    this.#feed = feed;
    this.#setState('connecting', null, null);
    this.#render(false);
    if (document.visibilityState === 'hidden') this.#pause();
    else feed.start();
  }

  #visibility() {
    clearTimeout(this.#hiding);
    if (document.visibilityState === 'hidden') this.#hiding = setTimeout(() => this.#pause(), HIDDEN_GRACE_MS);
    else this.#resume();
  }

  #pause() {
    if (!this.#feed || this.#done) return;
    this.#feed.stop();
    this.#setState('paused', null, null);
  }

  #resume() {
    if (this.#state !== 'paused') return;
    this.#setState('connecting', null, null);
    this.#feed?.start();
  }

  /** What is shown is the newest. @param {number|null} [players] */
  #confirm(players) {
    this.#updatedAt = Date.now();
    this.#showStatus();
    if (!this.#snapshot || players == null || players === this.#snapshot.players) return;
    this.#snapshot.players = players;
    this.#showTotal();
  }

  /** What may be the next period, and when it ends. @param {Period} board */
  #takeBoard({ period = null, ends_at, frozen_at, now }) {
    if (now) this.#skew = Date.parse(now) - Date.now();
    this.#endsAt = Date.parse(ends_at ?? '') || 0;
    this.#frozenAt = Date.parse(frozen_at ?? '') || 0;
    if (this.#period && period && period !== this.#period)
      this.#note(this.#say('ended', { period: this.#period, next: period }));
    this.#period = ends_at || period !== 'all' ? period : null; // as pushes have it
    this.#showStatus();
  }

  #note(/** @type {string} */ text) {
    const { notice } = this.#ui;
    notice.textContent = `${notice.textContent} ${text}`.trim();
    this.#noticeAt = Date.now();
  }

  #takeNotice(/** @type {Notice} */ { code, next, frozen_at, detail }) {
    if (code === 'placed') this.#note(detail);
    if (code === 'closed') this.#takeBoard({ period: next });
    if (code === 'frozen' || code === 'revealed') this.#frozenAt = Date.parse(frozen_at ?? '') || 0;
    this.#showStatus();
  }

  #take(/** @type {Snapshot} */ snapshot, /** @type {Transport} */ transport) {
    const before = this.#snapshot;
    this.#snapshot = snapshot;
    this.#confirm();
    if (before && before.players === snapshot.players && JSON.stringify(before.rows) === JSON.stringify(snapshot.rows)) return;
    this.#render(before !== null && document.visibilityState === 'visible');
    this.#summarise();
    this.#emitUpdate(transport);
  }

  #takeYou(/** @type {You|null} */ you) {
    const now = you && { score: you.score, rank: you.rank, players: you.players, tier: you.tier };
    if (JSON.stringify(now) === JSON.stringify(this.#you)) return;
    this.#you = now;
    this.#render(document.visibilityState === 'visible');
    this.#summarise();
    this.#emitUpdate(this.#feed?.transport ?? null);
  }

  /** `first`: a new connection may not have looked at the viewer's token or session yet. */
  #takeViewer(/** @type {string|null} */ id, /** @type {boolean} */ first) {
    if (id) {
      this.#unknownSince = 0;
      this.#signedOut(false);
    } else if (first) this.#unknownSince ||= Date.now();
    else return this.#ended();
    if (!id || id === this.#viewer) return;
    this.#viewer = id;
    this.#you = null; // it is another reader's
    this.#render(false);
  }

  #forgetViewer() {
    this.#unknownSince = 0;
    this.#viewer = this.#you = null;
    this.#mine = null;
    this.#ui.own.replaceChildren();
  }

  #emitUpdate(/** @type {Transport|null} */ transport) {
    const { epoch = null, seq = null, players = 0 } = this.#snapshot ?? {};
    this.#tell('update', { board: this.board, period: this.#period, epoch, seq, players, rows: this.rows, you: this.you, transport });
  }

  /** @param {State} state @param {Transport|null} transport @param {keyof Labels|null} reason */
  #setState(state, transport, reason) {
    const changed = state !== this.#state || reason !== this.#reason;
    this.#state = state;
    this.#reason = reason;
    this.#ui.frame.dataset.state = state;
    this.#ui.again.hidden = state !== 'reconnecting' && state !== 'closed';
    this.#showStatus();
    if (!changed) return;
    this.#tell('state', { state, transport, reason: reason && this.#say(reason), updatedAt: this.#updatedAt || null });
  }

  get #done() {
    return this.#state === 'closed' || this.#state === 'final';
  }

  #showStatus() {
    const now = Date.now() + this.#skew;
    const frozen = this.#frozenAt && ['live', 'polling', 'final'].includes(this.#state);
    const state = frozen
      ? this.#say('frozen', { ago: this.#speech.when(this.#frozenAt - now) })
      : this.#say((this.#state === 'closed' && this.#reason) || this.#state);
    this.#ui.frame.toggleAttribute('data-frozen', Boolean(frozen));
    const age = this.#updatedAt && Date.now() - this.#updatedAt;
    const told = age && this.#state !== 'live' && this.#state !== 'final' && (this.#state !== 'polling' || age > 4 * POLL_MS);
    const text = told ? this.#say('updated', { state, ago: this.#speech.when(-age) }) : state;
    const left = this.#state === 'final' ? 0 : this.#endsAt - now;
    const ends = left > 0 ? this.#say('ends', { in: this.#speech.when(left) }) : '';
    for (const [part, words] of /** @type {const} */ ([['status', text], ['ends', ends]]))
      if (this.#ui[part].textContent !== words) this.#ui[part].textContent = words;
  }

  #isMine(/** @type {Row} */ row) {
    return row.user_id === this.#viewer;
  }

  #render(/** @type {boolean} */ animated) {
    const snapshot = this.#snapshot;
    this.#ui.fallback.hidden = snapshot !== null;
    this.#ui.scroller.hidden = snapshot === null;
    if (!snapshot) return void (this.#ui.total.textContent = '');
    const before = animated ? this.#positions() : new Map();
    const shown = new Map();
    let mineShown = false;
    snapshot.rows.forEach((row, index) => {
      const known = this.#lines.get(row.user_id);
      const line = known ?? new Line(this.#speech);
      const mine = this.#isMine(row);
      mineShown ||= mine;
      line.show(row, mine, Boolean(known && animated));
      shown.set(row.user_id, line);
      if (this.#ui.body.children[index] !== line.element) this.#ui.body.insertBefore(line.element, this.#ui.body.children[index] ?? null);
    });
    for (const [id, line] of this.#lines) if (!shown.has(id)) line.element.remove();
    this.#lines = shown;
    this.#renderOwn(mineShown, animated);
    this.#ui.table.hidden = snapshot.rows.length === 0 && !this.#mine;
    this.#ui.empty.hidden = snapshot.rows.length > 0;
    this.#showTotal();
    if (animated) this.#move(before);
  }

  #showTotal() {
    const players = Math.max(this.#snapshot?.players ?? 0, this.rows.length);
    this.#ui.total.textContent = this.#say('players', { n: this.#speech.numbers.format(players) }, players);
  }

  #renderOwn(/** @type {boolean} */ mineShown, /** @type {boolean} */ animated) {
    const { score = null, rank = null, tier } = this.#you ?? {};
    if (mineShown || score === null || rank === null) {
      this.#mine = null;
      this.#ui.own.replaceChildren();
      return;
    }
    const known = this.#mine !== null;
    this.#mine ??= new Line(this.#speech);
    this.#mine.show({ rank, score, username: this.#say('you'), user_id: this.#viewer ?? 'you', avatar: null, tier }, true, known && animated);
    if (!known) this.#ui.own.replaceChildren(this.#mine.element);
  }

  #positions() {
    return new Map([...this.#lines].map(([id, line]) => [id, line.element.getBoundingClientRect().top]));
  }

  /** FLIP. */
  #move(/** @type {Map<string, number>} */ before) {
    if (matchMedia('(prefers-reduced-motion: reduce)').matches) return;
    const after = this.#positions();
    const timing = { duration: 450, easing: 'cubic-bezier(.2,.8,.2,1)' };
    for (const [id, line] of this.#lines) {
      const from = before.get(id);
      const offset = from === undefined ? 0 : from - (after.get(id) ?? from);
      if (from === undefined) line.element.animate({ opacity: [0, 1] }, timing);
      else if (Math.abs(offset) > 1)
        line.element.animate(
          { transform: [`translateY(${offset}px)`, 'none'], zIndex: offset > 0 ? ['2', '2'] : ['1', '1'] },
          timing,
        );
    }
  }

  #summarise() {
    if (this.#summaryTimer) return;
    const wait = Math.max(0, this.#summarised.at + SUMMARY_MS - Date.now());
    this.#summaryTimer = setTimeout(() => {
      this.#summaryTimer = 0;
      if (!this.#snapshot) return;
      const [leader] = this.rows;
      const mine = this.rows.find((row) => this.#isMine(row));
      const rank = mine?.rank ?? this.#you?.rank ?? null;
      const key = `${leader?.user_id} ${rank}`;
      if (key === this.#summarised.key) return;
      this.#summarised = { at: Date.now(), key };
      const { numbers } = this.#speech;
      const score = leader && numbers.format(leader.score);
      const first = leader ? this.#say('leads', { name: leader.username, score }, leader.score) : this.#say('empty');
      this.#ui.spoken.textContent = rank === null ? first : `${first} ${this.#say('place', { rank: numbers.format(rank) })}`;
    }, wait);
  }
}

if (!customElements.get('live-leaderboard')) customElements.define('live-leaderboard', LiveLeaderboard);

export { LiveLeaderboard };
