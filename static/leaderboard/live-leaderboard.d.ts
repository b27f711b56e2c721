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
  /** On a board with tiers, null for who has none. */
  tier?: string | null;
  /** Of the entry that is shown, on a board of the best or the latest. */
  metadata?: Record<string, unknown>;
}

/** The viewer's own standing; `score` and `rank` are null for a player whom the board does not show (yet). */
export interface You {
  score: number | null;
  rank: number | null;
  players: number;
  /** On a board with tiers, null for who has none. */
  tier?: string | null;
}

export type Transport = 'websocket' | 'sse' | 'polling';

/**
 * - `connecting`: nothing heard yet, or coming back from a hidden tab
 * - `live`: pushes arrive as they happen
 * - `polling`: neither WebSocket nor SSE gets through; asked for every few seconds
 * - `reconnecting`: the connection is lost and will be tried again
 * - `paused`: the tab is hidden
 * - `final`: the period is over, and these are its final ranks
 * - `closed`: refused for good; `reconnect()` tries again
 */
export type State = 'connecting' | 'live' | 'polling' | 'reconnecting' | 'paused' | 'final' | 'closed';

export interface UpdateDetail {
  board: string;
  /** The key of the period that is shown, such as 2026-W47; null for a board without periods. */
  period: string | null;
  /** Null before the first snapshot, and while SQL stands in for Redis. */
  epoch: string | null;
  seq: number | null;
  players: number;
  rows: Row[];
  /** Null for a viewer who is not signed in. */
  you: You | null;
  transport: Transport | null;
}

/** One text, or one for each plural category of the language (Intl.PluralRules). */
export type Plural = string | ({ other: string } & Partial<Record<Intl.LDMLPluralRule, string>>);

/** Every word the element shows. Names in braces are filled in; numbers and times follow `lang`. */
export interface Labels {
  /** What the board is called while there is no `label` attribute. */
  label?: string;
  rank?: string;
  player?: string;
  score?: string;
  /** The reader, in a line of their own. */
  you?: string;
  /** {n} */
  players?: Plural;
  empty?: string;
  /** The reader's token or session has ended. */
  signIn?: string;
  retry?: string;
  connecting?: string;
  live?: string;
  polling?: string;
  reconnecting?: string;
  paused?: string;
  /** In place of `live`, when the period is over. */
  final?: string;
  /** {in}: how long until the period ends, such as "in 3 days" */
  ends?: string;
  /** The period has just ended: {period}, {next} */
  ended?: string;
  /** In place of `live` and `final`, {ago}: what is shown is the board as of then, until it is revealed. */
  frozen?: string;
  closed?: string;
  /** Instead of `closed`: the board needs a token; it may not be shown here; there is no such board. */
  private?: string;
  refused?: string;
  missing?: string;
  /** {state}, {ago} */
  updated?: string;
  /** For screen readers: {name}, {score} */
  leads?: Plural;
  /** For screen readers: {rank} */
  place?: string;
}

export interface SignedOutDetail {
  board: string;
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
  /** The key of one period, such as 2026-W47; null: the current one, and the next when it ends. */
  period: string | null;
  /** 1 to 100 */
  limit: number;
  theme: 'auto' | 'light' | 'dark';
  /** What the board is called on the page. */
  label: string;
  /** A JWT: shows the viewer's own line. Never put into an attribute, a URL or storage. Null once it has ended. */
  token: string | null;
  /** Brings a token, and the next before it ends; null when the reader is not signed in. In place of `auth-url`. */
  getToken: (() => Promise<string | null>) | null;
  /** Words in place of the English ones. */
  labels: Labels;
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
    /** The viewer's token or session has ended, and there is no other. */
    'leaderboard-signed-out': CustomEvent<SignedOutDetail>;
  }
}
