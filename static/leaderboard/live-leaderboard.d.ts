/** Types of live-leaderboard.js: the element's attributes, properties and events. */

/** One line of a board, as the API and the push show it. */
export interface Row {
  rank: number;
  user_id: string;
  username: string;
  /** 0 … 2^53−1 */
  score: number;
  /** An http(s) URL, or null. */
  avatar: string | null;
}

/** The viewer's own standing; `score` and `rank` are null for a player whom the board does not show (yet). */
export interface You {
  score: number | null;
  rank: number | null;
  players: number;
}

export type Transport = 'websocket' | 'sse' | 'polling';

/**
 * - `connecting`: nothing heard yet, or coming back from a hidden tab
 * - `live`: pushes arrive as they happen
 * - `polling`: neither WebSocket nor SSE gets through; asked for every few seconds
 * - `reconnecting`: the connection is lost and will be tried again
 * - `paused`: the tab is hidden
 * - `closed`: refused for good; `reconnect()` tries again
 */
export type State = 'connecting' | 'live' | 'polling' | 'reconnecting' | 'paused' | 'closed';

export interface UpdateDetail {
  board: string;
  /** Null before the first snapshot, and while SQL stands in for Redis. */
  epoch: string | null;
  seq: number | null;
  players: number;
  rows: Row[];
  /** Null for a viewer who is not signed in. */
  you: You | null;
  transport: Transport | null;
}

export interface StateDetail {
  state: State;
  transport: Transport | null;
  /** A sentence for a person when `state` is `closed`. */
  reason: string | null;
  /** `Date.now()` of the last word that what is shown is the newest. */
  updatedAt: number | null;
}

export class LiveLeaderboard extends HTMLElement {
  /** Origin of the scoreboard site; empty: the page's own. */
  src: string;
  board: string;
  /** 1 to 100 */
  limit: number;
  theme: 'auto' | 'light' | 'dark';
  /** What the board is called on the page. */
  label: string;
  /** A JWT access token: shows the viewer's own line. Never put into an attribute, a URL or storage. */
  token: string | null;
  readonly state: State;
  readonly rows: Row[];
  readonly you: You | null;
  /** Tries again at once, also after `closed`. */
  reconnect(): void;
}

declare global {
  interface HTMLElementTagNameMap {
    'live-leaderboard': LiveLeaderboard;
  }
  interface HTMLElementEventMap {
    'leaderboard-update': CustomEvent<UpdateDetail>;
    'leaderboard-state': CustomEvent<StateDetail>;
  }
}
