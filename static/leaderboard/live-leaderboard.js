// @ts-check
/**
 * <live-leaderboard src="https://host" board="global" limit="10" theme="auto" label="Leaderboard">
 *
 * A live board on any page: one module, no build step, no dependencies. Types and the public surface are in
 * live-leaderboard.d.ts; how to embed it, and what a page's CSP must allow, is on the site's /embed page.
 *
 * Everything from the server is text to this file: it is written with textContent, never as markup. Styles are
 * constructed sheets, so that a page with a strict CSP needs no 'unsafe-inline'.
 *
 * @typedef {import('./live-leaderboard.js').LiveLeaderboard} PublicElement
 * @typedef {import('./live-leaderboard.js').Row} Row
 * @typedef {import('./live-leaderboard.js').You} You
 * @typedef {import('./live-leaderboard.js').State} State
 * @typedef {import('./live-leaderboard.js').Transport} Transport
 * @typedef {{epoch: string|null, seq: number|null, players: number, rows: Row[]}} Snapshot
 * @typedef {{close(): void, opened: boolean, since: number, send?(message: object): void}} Link
 */

/** @type {Transport[]} best first */
const RUNGS = ['websocket', 'sse', 'polling'];
const BACKOFF_BASE_MS = 500;
const BACKOFF_CAP_MS = 30_000;
const OPEN_TIMEOUT_MS = 8_000;
const STEADY_MS = 10_000; // a connection that lived this long starts the back-off afresh
const SILENCE_MS = 35_000; // the server pings every 15 s; two missed pings are a dead line
const POLL_MS = 3_000;
const PROBE_MS = 15_000; // while polling, how often something better is tried
const HIDDEN_GRACE_MS = 5_000; // a glance at another tab costs no reconnection
const SUMMARY_MS = 10_000; // a screen reader hears of changes at most this often
const DELTA_MS = 1_600;
const FATAL = /** @type {Record<number, string>} */ ({
  4501: 'Sign in to see this board',
  4503: 'This site may not show the board',
});

/**
 * The connection to one board: climbs down from WebSocket to SSE to polling when it must, comes back with
 * full-jitter back-off, and lets only what is newer through. `listener` hears of everything else.
 */
class Feed {
  /** @type {string|null} */ #epoch = null;
  #seq = -1;
  #rung = 0;
  #tries = 0; // failed attempts on this rung
  #failures = 0; // in a row, on any rung: the exponent of the back-off
  #worked = new Set(); // rungs that have ever opened
  /** @type {Link|null} */ #link = null;
  /** @type {number|undefined} */ #retryTimer;
  /** @type {number|undefined} */ #watchdog;
  /** @type {number|null} */ #retryAfter = null; // ms the server asked for
  #pollingSince = 0;
  #complaint = ''; // the server's last error: why it closes, if it does
  #mayAskMe = true; // false after a 401: an anonymous visitor is not asked about at every poll
  running = false;

  /**
   * @param {{origin: string, board: string, limit: number, token: string|null}} where
   * @param {{snapshot(data: Snapshot, via: Transport): void, you(you: You): void,
   *          viewer(id: string|null): void, confirmed(): void,
   *          state(state: State, transport: Transport|null, reason: string|null): void}} listener
   */
  constructor(where, listener) {
    this.where = where;
    this.listener = listener;
  }

  start() {
    if (this.running) return;
    this.running = true;
    this.#rung = this.#tries = this.#failures = 0;
    this.#open();
  }

  stop() {
    this.running = false;
    this.#drop();
  }

  /** Connects at once, whatever the back-off says: the network is back, or a person asked. */
  retryNow() {
    if (this.running && this.#link?.opened) return;
    this.stop();
    this.start();
  }

  /** @param {string|null} token a JWT; null goes back to being nobody, which takes a new connection */
  authenticate(token) {
    this.where.token = token;
    this.#mayAskMe = true;
    if (!this.running) return;
    if (token && this.#link?.send) return void (this.#link.opened && this.#link.send({ type: 'authenticate', token }));
    this.stop();
    this.start();
  }

  get transport() {
    return RUNGS[this.#rung];
  }

  #drop() {
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#watchdog);
    const link = this.#link;
    this.#link = null; // first: what the old link still says is heard by nobody
    link?.close();
  }

  #open() {
    this.#drop();
    // EventSource cannot carry a token; polling can.
    if (this.transport === 'sse' && this.where.token) this.#rung = 2;
    /** @type {Link} */
    let link;
    try {
      link = { websocket: () => this.#socket(), sse: () => this.#events(), polling: () => this.#poll() }[this.transport]();
    } catch {
      // A browser throws at once where it will not even try: plain ws: from an https: page, say.
      link = { opened: false, since: Date.now(), close() {} };
      this.#later(() => this.#lost(link, 0), 0);
    }
    this.#link = link;
    this.#watch(link, OPEN_TIMEOUT_MS);
  }

  /** @param {string} path @param {string} [scheme] */
  #url(path, scheme) {
    const url = new URL(path, this.where.origin);
    if (scheme) url.protocol = url.protocol.replace('http', scheme);
    url.searchParams.set('board', this.where.board);
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
    for (const type of ['connection_success', 'leaderboard_update', 'you', 'current', 'ping', 'bye'])
      source.addEventListener(type, (event) => this.#heard(link, event.data));
    // The browser's own retry knows neither our back-off nor the other rungs.
    source.onerror = (event) =>
      event instanceof MessageEvent ? this.#heard(link, event.data) : this.#lost(link, 0);
    return link;
  }

  /** @returns {Link} */
  #poll() {
    const stop = new AbortController();
    /** @type {Link} */
    const link = { opened: false, since: Date.now(), close: () => stop.abort() };
    this.#pollingSince = Date.now();
    const again = () => {
      if (link !== this.#link) return;
      if (Date.now() - this.#pollingSince > PROBE_MS) {
        this.#rung = 0;
        this.#tries = 2; // one failed probe is enough to go on polling
        this.#open();
      } else this.#pollOnce(link, stop.signal).then(() => this.#later(again, POLL_MS * (0.8 + 0.4 * Math.random())), lost);
    };
    const lost = () => this.#lost(link, 0);
    this.#pollOnce(link, stop.signal).then(() => this.#later(again, POLL_MS), lost);
    return link;
  }

  /** @param {Link} link @param {AbortSignal} signal */
  async #pollOnce(link, signal) {
    const headers = this.where.token ? { Authorization: `Bearer ${this.where.token}` } : undefined;
    // 'no-cache' lets the browser send its own If-None-Match: a conditional request without a CORS preflight.
    const answer = await fetch(this.#top('/api/v1/scoreboard/top'), { headers, signal, cache: 'no-cache' });
    if (link !== this.#link) return;
    if (!answer.ok) {
      if ([401, 403, 404].includes(answer.status))
        return this.#close(answer.status === 404 ? 'There is no such board' : FATAL[4501]);
      this.#retryAfter = Number(answer.headers.get('Retry-After')) * 1000 || null;
      throw new Error(`HTTP ${answer.status}`);
    }
    const body = await answer.json();
    if (link !== this.#link) return;
    this.#alive(link);
    this.#take({ epoch: body.epoch, seq: body.seq, players: body.players, rows: body.data });
    if (this.#mayAskMe && (headers || this.where.origin === location.origin)) await this.#askMe(headers, signal);
  }

  /** @param {Record<string, string>|undefined} headers @param {AbortSignal} signal */
  async #askMe(headers, signal) {
    const answer = await fetch(this.#url('/api/v1/score/me'), { headers, signal });
    if (answer.status === 401 || answer.status === 403) this.#mayAskMe = false;
    if (!answer.ok) return;
    const { data } = await answer.json();
    this.listener.viewer(data.user_id);
    this.listener.you({ score: data.score, rank: data.rank, players: data.players });
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
    if (message.type === 'error') return void (this.#complaint = message.detail); // the close code decides what follows
    if (message.type === 'bye') {
      this.#retryAfter = message.retry_ms;
      return this.#lost(link, 4000);
    }
    this.#alive(link);
    if (message.type === 'connection_success') this.listener.viewer(message.user_id ?? null);
    else if (message.type === 'leaderboard_update') this.#take({ ...message, rows: message.top });
    else if (message.type === 'you') this.listener.you(message);
    else if (message.type === 'current') this.listener.confirmed();
    else if (message.type === 'ping') this.#ping(link, message);
  }

  /** A ping that names what we have confirms it; one that names something newer means that a push was lost. */
  #ping(/** @type {Link} */ link, /** @type {{epoch: string|null, seq: number|null}} */ { epoch, seq }) {
    if (epoch == null || seq == null) return; // the server itself cannot tell right now
    if (epoch === this.#epoch && seq <= this.#seq) return this.listener.confirmed();
    if (link.send) link.send({ type: 'resume', epoch: this.#epoch ?? '', seq: this.#seq });
    else this.#open();
  }

  /** A new epoch replaces everything; within one only what is newer counts. SQL's answers have neither. */
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

  /** @param {Link} link @param {number} code the WebSocket close code; 0 where there is none */
  #lost(link, code) {
    if (link !== this.#link) return;
    this.#drop();
    if (code >= 4500 && code < 5000) return this.#close(FATAL[code] || this.#complaint || 'The server closed the connection');
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
      wait = Math.random() * 250; // another way in is worth trying at once
    } else this.#failures += 1;
    this.listener.state('reconnecting', null, null);
    this.#later(() => this.#open(), Math.max(wait, this.#retryAfter ?? 0));
    this.#retryAfter = null;
  }

  #close(/** @type {string} */ reason) {
    this.stop();
    this.listener.state('closed', null, reason);
  }
}

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag @param {Record<string, string>} attributes @param {(Node|string)[]} children
 * @returns {HTMLElementTagNameMap[Tag]}
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
/** The first thing a person sees as one character: an emoji family is many code points. */
const firstCharacter = (/** @type {string} */ text) =>
  'Segmenter' in Intl
    ? new Intl.Segmenter().segment(text)[Symbol.iterator]().next().value?.segment ?? ''
    : Array.from(text)[0] ?? '';

/** A hue per player, the same on every page. */
const hue = (/** @type {string} */ id) => [...id].reduce((sum, c) => (sum * 31 + c.charCodeAt(0)) % 360, 7);

/** @param {number} ms */
function ago(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  return `${Math.floor(seconds / 3600)} h ago`;
}

/** One line of the table, kept for as long as its player is shown. */
class Line {
  score = 0;
  /** @type {string|null|undefined} */ avatarURL = undefined;

  constructor(/** @type {Intl.NumberFormat} */ numbers) {
    this.numbers = numbers;
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

  /** @param {{rank: number|null, score: number, username: string, user_id: string, avatar: string|null}} row */
  show(row, /** @type {boolean} */ mine, /** @type {boolean} */ flash) {
    const parts = ['row', mine && 'you', row.rank !== null && row.rank <= 3 && `top${row.rank}`];
    this.element.setAttribute('part', parts.filter(Boolean).join(' '));
    if (mine) this.element.setAttribute('aria-current', 'true');
    else this.element.removeAttribute('aria-current');
    this.rank.textContent = row.rank === null ? '–' : this.numbers.format(row.rank);
    this.value.textContent = this.numbers.format(row.score);
    this.value.className = this.value.textContent.length > 12 ? 'n long' : 'n';
    if (this.name.textContent !== row.username) {
      this.name.textContent = this.name.title = row.username;
      this.avatarURL = undefined; // the initials are the new name's
    }
    if (this.avatarURL !== row.avatar) this.portray(row);
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
    this.delta.textContent = (change > 0 ? '+' : '−') + this.numbers.format(Math.abs(change));
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
[part=retry] { font: inherit; color: var(--_accent); background: none; border: 1px solid currentColor; border-radius: 99px; padding: .1em .8em; cursor: pointer; }
:focus-visible { outline: 2px solid var(--_accent); outline-offset: -2px; } [part=retry]:focus-visible { outline-offset: 2px; }
.scroll { overflow: auto; max-height: var(--lb-max-height, none); }
table, thead, tbody { display: block; } table { border-collapse: collapse; }
tr { display: grid; grid-template-columns: minmax(3.25rem, auto) minmax(0, 1fr) auto; align-items: center; gap: .75rem;
  padding: var(--lb-row-padding, .5rem 1.1rem); background: var(--_bg); position: relative; }
tbody tr + tr { border-top: 1px solid var(--_line); }
thead tr { padding-block: .45rem; color: var(--_muted); font-size: .8125em; }
th, td { padding: 0; font-weight: inherit; text-align: start; } th:last-child, td:last-child { text-align: end; }
.n { font-variant-numeric: tabular-nums; }
[part=rank] .n { display: inline-block; min-width: 2.1em; padding: .15em .35em; border-radius: 99px; text-align: center; color: var(--_muted); }
[part~=top1] [part=rank] .n { background: #f7c948; color: #3d2c00; font-weight: 650; } [part~=top2] [part=rank] .n { background: #cfd6e0; color: #232a35; font-weight: 650; }
[part~=top3] [part=rank] .n { background: #e0a878; color: #3a1f08; font-weight: 650; }
[part=player] { display: flex; gap: .7rem; align-items: center; min-width: 0; }
[part=avatar] { position: relative; flex: none; display: grid; place-items: center; width: 2.1em; height: 2.1em; border-radius: 50%; overflow: clip; font-size: .875em; font-weight: 600;
  background: hsl(var(--hue, 230) var(--_s, 60%) 88%); color: hsl(var(--hue, 230) 70% 22%); }
[part=avatar] img { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: cover; background: var(--_bg); }
[part=name] { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; min-width: 0; unicode-bidi: isolate; }
[part=score] { position: relative; font-weight: 600; white-space: nowrap; }
[part=delta] { opacity: 0; position: absolute; inset-inline-end: 100%; margin-inline-end: .5em; padding: 0 .4em; border-radius: 99px;
  background: var(--_good); color: var(--_bg); font-size: .8125em; line-height: 1.6; pointer-events: none; font-variant-numeric: tabular-nums; }
[part~=you] { background: var(--_you); box-shadow: inset 3px 0 var(--_accent); } [part~=you] [part=name] { font-weight: 650; }
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

/** Everything inside the shadow root that stays. */
function scaffold() {
  const caption = h('span', { part: 'caption', id: 'caption' });
  const status = h('span', { part: 'status' });
  const again = h('button', { part: 'retry', type: 'button', hidden: '' }, 'Try now');
  const body = h('tbody', { role: 'rowgroup' });
  const own = h('tbody', { role: 'rowgroup', class: 'mine' });
  const empty = h('p', { part: 'empty', hidden: '' }, 'Nobody has scored yet. The first points go to the top.');
  const total = h('span', { part: 'players' });
  const spoken = h('p', { class: 'sr', role: 'status', 'aria-live': 'polite' });
  const columns = ['Rank', 'Player', 'Score'].map((text) => h('th', { role: 'columnheader', scope: 'col' }, text));
  const table = h(
    'table',
    { part: 'table', role: 'table', 'aria-labelledby': 'caption', hidden: '' },
    h('thead', { role: 'rowgroup', part: 'columns' }, h('tr', { role: 'row' }, ...columns)),
    body,
    own,
  );
  const scroller = h('div', { class: 'scroll', role: 'group', tabindex: '0', 'aria-labelledby': 'caption' }, table, empty);
  const fallback = h('slot'); // the page's own content, until there is something newer to show
  const frame = h(
    'section',
    { class: 'board', part: 'board', 'aria-labelledby': 'caption' },
    h('div', { class: 'head', part: 'head' }, caption, status),
    scroller,
    fallback,
    h('div', { class: 'foot', part: 'foot' }, total, again),
    spoken,
  );
  return { caption, status, again, body, own, empty, total, spoken, table, scroller, fallback, frame };
}

/** @implements {PublicElement} */
class LiveLeaderboard extends HTMLElement {
  static observedAttributes = ['src', 'board', 'limit', 'label'];

  #ui = scaffold();
  #feed = /** @type {Feed|null} */ (null);
  #token = /** @type {string|null} */ (null);
  #state = /** @type {State} */ ('connecting');
  #reason = /** @type {string|null} */ (null);
  #snapshot = /** @type {Snapshot|null} */ (null);
  #you = /** @type {You|null} */ (null);
  #viewer = /** @type {string|null} */ (null);
  #updatedAt = 0; // Date.now() of the last word that what is shown is the newest
  /** @type {Map<string, Line>} */ #lines = new Map();
  /** @type {Line|null} */ #mine = null;
  #numbers = new Intl.NumberFormat();
  /** @type {number|undefined} */ #clock;
  /** @type {number|undefined} */ #hiding;
  /** @type {number|undefined} */ #summaryTimer;
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
    const early = Object.getOwnPropertyDescriptor(this, 'token');
    if (early) {
      // Set by the page before this module had loaded: make it go through the setter.
      delete (/** @type {any} */ (this).token);
      this.#token = early.value;
    }
    const lang = this.closest('[lang]')?.getAttribute('lang');
    try {
      this.#numbers = new Intl.NumberFormat(lang || undefined);
    } catch {
      // a page's lang attribute may be no language at all
    }
    this.#ui.caption.textContent = this.label;
    this.#listening = new AbortController();
    const { signal } = this.#listening;
    document.addEventListener('visibilitychange', () => this.#visibility(), { signal });
    addEventListener('online', () => this.#state === 'reconnecting' && this.#feed?.retryNow(), { signal });
    // An open connection would keep the page out of the back/forward cache.
    addEventListener('pagehide', () => this.#pause(), { signal });
    addEventListener('pageshow', (event) => event.persisted && this.#resume(), { signal });
    this.#clock = setInterval(() => this.#showStatus(), 1000);
    this.#renew();
  }

  disconnectedCallback() {
    this.#listening?.abort();
    clearInterval(this.#clock);
    clearTimeout(this.#hiding);
    clearTimeout(this.#summaryTimer);
    this.#summaryTimer = undefined;
    this.#feed?.stop();
    this.#feed = null;
  }

  /** @param {string} name @param {string|null} before @param {string|null} after */
  attributeChangedCallback(name, before, after) {
    if (before === after || !this.isConnected || !this.#listening) return;
    if (name === 'label') this.#ui.caption.textContent = this.label;
    else {
      // The same board with other bounds: what is shown stays until the new answer. Another board starts empty.
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
    return this.getAttribute('label') || 'Leaderboard';
  }
  set label(value) {
    this.setAttribute('label', value);
  }
  get token() {
    return this.#token;
  }
  set token(value) {
    if (value === this.#token) return;
    this.#token = value;
    if (!value) this.#forgetViewer();
    if (value && this.#feed && this.#state === 'closed') this.#renew(); // it may have been closed for want of a token
    else this.#feed?.authenticate(value);
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

  #forget() {
    this.#snapshot = null;
    this.#updatedAt = 0;
    this.#forgetViewer();
    this.#lines.clear();
    this.#ui.body.replaceChildren();
    this.#ui.fallback.remove(); // it was about the board before
  }

  #renew() {
    this.#feed?.stop();
    let origin = location.origin;
    try {
      if (this.src) origin = new URL(this.src, location.href).origin;
    } catch {
      this.#setState('closed', null, 'The address of the board is not valid');
      return;
    }
    /** @type {Feed} */
    const feed = new Feed(
      { origin, board: this.board, limit: this.limit, token: this.#token },
      {
        snapshot: (data, via) => feed === this.#feed && this.#take(data, via),
        you: (you) => feed === this.#feed && this.#takeYou(you),
        viewer: (id) => feed === this.#feed && this.#takeViewer(id),
        confirmed: () => feed === this.#feed && this.#confirm(),
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
    if (!this.#feed || this.#state === 'closed') return;
    this.#feed.stop();
    this.#setState('paused', null, null);
  }

  #resume() {
    if (this.#state !== 'paused') return;
    this.#setState('connecting', null, null);
    this.#feed?.start();
  }

  #confirm() {
    this.#updatedAt = Date.now();
    this.#showStatus();
  }

  #take(/** @type {Snapshot} */ snapshot, /** @type {Transport} */ transport) {
    const first = this.#snapshot === null;
    this.#snapshot = snapshot;
    this.#confirm();
    this.#render(!first && document.visibilityState === 'visible');
    this.#summarise();
    this.#emitUpdate(transport);
  }

  #takeYou(/** @type {You} */ { score, rank, players }) {
    this.#you = { score, rank, players };
    this.#render(document.visibilityState === 'visible');
    this.#summarise();
    this.#emitUpdate(this.#feed?.transport ?? null);
  }

  #takeViewer(/** @type {string|null} */ id) {
    if (id === this.#viewer) return;
    this.#viewer = id;
    const forgotten = !id && this.#you;
    if (forgotten) this.#you = null;
    this.#render(false);
    if (forgotten) this.#emitUpdate(this.#feed?.transport ?? null);
  }

  #forgetViewer() {
    this.#viewer = this.#you = null;
    this.#mine = null;
    this.#ui.own.replaceChildren();
  }

  #emitUpdate(/** @type {Transport|null} */ transport) {
    const { epoch = null, seq = null, players = 0 } = this.#snapshot ?? {};
    const detail = { board: this.board, epoch, seq, players, rows: this.rows, you: this.you, transport };
    this.dispatchEvent(new CustomEvent('leaderboard-update', { bubbles: true, composed: true, detail }));
  }

  /** @param {State} state @param {Transport|null} transport @param {string|null} reason */
  #setState(state, transport, reason) {
    const changed = state !== this.#state || reason !== this.#reason;
    this.#state = state;
    this.#reason = reason;
    this.#ui.frame.dataset.state = state;
    this.#ui.again.hidden = state !== 'reconnecting' && state !== 'closed';
    this.#showStatus();
    if (!changed) return;
    const detail = { state, transport, reason, updatedAt: this.#updatedAt || null };
    this.dispatchEvent(new CustomEvent('leaderboard-state', { bubbles: true, composed: true, detail }));
  }

  /** Never says "Live" of anything that is not. */
  #showStatus() {
    const words = {
      connecting: 'Connecting…',
      live: 'Live',
      polling: 'Updating every few seconds',
      reconnecting: 'Reconnecting…',
      paused: 'Paused',
      closed: this.#reason ?? 'Disconnected',
    }[this.#state];
    const age = this.#updatedAt && Date.now() - this.#updatedAt;
    const told = age && this.#state !== 'live' && (this.#state !== 'polling' || age > 4 * POLL_MS);
    const text = told ? `${words} · last updated ${ago(age)}` : words;
    if (this.#ui.status.textContent !== text) this.#ui.status.textContent = text;
  }

  #isMine(/** @type {Row} */ row) {
    if (this.#viewer) return row.user_id === this.#viewer;
    return this.#you?.rank != null && row.rank === this.#you.rank && row.score === this.#you.score;
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
      const line = known ?? new Line(this.#numbers);
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
    const players = Math.max(snapshot.players, snapshot.rows.length);
    this.#ui.total.textContent = players === 1 ? '1 player' : `${this.#numbers.format(players)} players`;
    if (animated) this.#move(before);
  }

  /** The viewer's own line, when it is not among those above. */
  #renderOwn(/** @type {boolean} */ mineShown, /** @type {boolean} */ animated) {
    const { score = null, rank = null } = this.#you ?? {};
    if (mineShown || score === null || rank === null) {
      this.#mine = null;
      this.#ui.own.replaceChildren();
      return;
    }
    const known = this.#mine !== null;
    this.#mine ??= new Line(this.#numbers);
    this.#mine.show({ rank, score, username: 'You', user_id: this.#viewer ?? 'you', avatar: null }, true, known && animated);
    if (!known) this.#ui.own.replaceChildren(this.#mine.element);
  }

  #positions() {
    return new Map([...this.#lines].map(([id, line]) => [id, line.element.getBoundingClientRect().top]));
  }

  /** FLIP: each row starts where it was and glides to where it is. */
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
          // Who rises passes in front.
          { transform: [`translateY(${offset}px)`, 'none'], zIndex: offset > 0 ? ['2', '2'] : ['1', '1'] },
          timing,
        );
    }
  }

  /** Tells a screen reader of a new leader or a new own rank, at most every SUMMARY_MS. */
  #summarise() {
    if (this.#summaryTimer !== undefined) return;
    const wait = Math.max(0, this.#summarised.at + SUMMARY_MS - Date.now());
    this.#summaryTimer = setTimeout(() => {
      this.#summaryTimer = undefined;
      const [leader] = this.rows;
      const mine = this.rows.find((row) => this.#isMine(row));
      const rank = mine?.rank ?? this.#you?.rank ?? null;
      const key = `${leader?.user_id} ${rank}`;
      if (key === this.#summarised.key) return;
      this.#summarised = { at: Date.now(), key };
      const first = leader ? `${leader.username} leads with ${this.#numbers.format(leader.score)} points.` : 'Nobody has scored yet.';
      this.#ui.spoken.textContent = rank === null ? first : `${first} You are at rank ${this.#numbers.format(rank)}.`;
    }, wait);
  }
}

if (!customElements.get('live-leaderboard')) customElements.define('live-leaderboard', LiveLeaderboard);

export { LiveLeaderboard };
