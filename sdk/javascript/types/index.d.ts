/** `document`: the problem document of the answer (RFC 9457), {} if there was none; `kind`: its slug. */
export class ScoreboardError extends Error {
    /** @param {string} said @param {Answer} answer */
    constructor(said: string, { status, requestId, document, cause }: Answer);
    status: number;
    requestId: string;
    document: Problem;
    kind: string;
}
/** A final answer: the same call would be refused again. */
export class Refused extends ScoreboardError {
}
/** No final answer. The call may have counted or not: repeat it later, an award with the same id. */
export class Unavailable extends ScoreboardError {
}
export class Client {
    /** @param {string} url @param {Options} [options] */
    constructor(url: string, { timeout, attempts, buffer, onRefused, ...more }?: Options);
    /** Why awards wait. @type {ScoreboardError | undefined} */ trouble: ScoreboardError | undefined;
    buffer: MemoryBuffer;
    /** Points for a deed, now. Repeat it after Unavailable: the same `id` pays once. @param {Award} award */
    award(award: Award): Promise<Awarded>;
    /** Accepts it; it is sent in the background until there is a final answer. @param {Award} award */
    awardLater(award: Award): Promise<void>;
    /** Says how your user appears; makes the player if need be. @param {string} id @param {PlayerFields} [fields] */
    player(id: string, fields?: PlayerFields): Promise<Player>;
    /** For the page that your user sees: the board there shows the user's own place. @param {string} player */
    viewerToken(player: string): Promise<ViewerToken>;
    /** Mints and redeems as the player whose token this is; waits while it is too early. @param {string} action_type */
    act(action_type: string): Promise<Redeemed>;
    /**
     * `userId`: the scoreboard's, or `ext:` and yours.
     *
     * @param {string} [userId] @param {{board?: string, period?: string}} [options]
     */
    score(userId?: string, { board, period }?: {
        board?: string;
        period?: string;
    }): Promise<Standing>;
    /**
     * `period`: its key, such as 2026-W47; a closed one has its final ranks. By default the current one.
     *
     * @param {{limit?: number, offset?: number, board?: string, period?: string}} [options] @returns {Promise<Board>}
     */
    top({ limit, offset, board, period }?: {
        limit?: number;
        offset?: number;
        board?: string;
        period?: string;
    }): Promise<Board>;
    /**
     * Each new state of the board, until `signal` or `close` ends it; over a new connection when one ends. Throws
     * Refused.
     *
     * @param {{limit?: number, board?: string, period?: string, signal?: AbortSignal}} [options]
     * @returns {AsyncGenerator<Board, void, void>}
     */
    watch({ limit, board, period, signal }?: {
        limit?: number;
        board?: string;
        period?: string;
        signal?: AbortSignal;
    }): AsyncGenerator<Board, void, void>;
    /** Resolves to whether all that was accepted was answered in this time. @param {number} [milliseconds] */
    close(milliseconds?: number): Promise<boolean>;
    #private;
}
/**
 * A deed. `id` is your own id of it: the same award again pays nothing. Exactly one of `player` and `user_id`.
 */
export type Award = {
    id: string;
    action_type: string;
    player?: string;
    user_id?: string;
    points?: number;
    value?: number;
    metadata?: Record<string, unknown>;
    name?: string;
    avatar?: string | null;
    attributes?: Attributes;
    occurred_at?: string;
};
export type Awarded = {
    id: string;
    player: string | null;
    user_id: string;
    score_delta: number;
    value: number | null;
    new_score: number;
    rank: number | null;
    replayed: boolean;
};
export type Attributes = Record<string, string | number | boolean | null>;
export type PlayerFields = {
    name?: string;
    avatar?: string | null;
    attributes?: Attributes;
    opted_out?: boolean;
};
export type Player = {
    player: string;
    user_id: string;
    name: string | null;
    avatar: string | null;
    attributes: Attributes;
    opted_out: boolean;
    hidden: boolean;
    disabled: boolean;
    created_at: string;
};
export type ViewerToken = {
    token: string;
    expires_in: number;
};
export type Redeemed = {
    action_id: string;
    new_score: number;
    score_delta: number;
    rank: number | null;
};
export type Standing = {
    user_id: string;
    username: string;
    score: number;
    rank: number | null;
    players: number;
    percentile: number | null;
    updated_at: string | null;
    tier?: string | null;
};
export type Row = {
    rank: number;
    user_id: string;
    username: string;
    score: number;
    avatar: string | null;
    tier?: string | null;
    metadata?: Record<string, unknown>;
};
/**
 * `timestamp`: Unix seconds of its last change. `epoch`, `seq`: null while SQL stands in for Redis.
 */
export type Board = {
    epoch: string | null;
    seq: number | null;
    timestamp: number;
    players: number;
    top: Row[];
};
export type Problem = Record<string, any> & {
    type?: string;
    title?: string;
    detail?: string;
};
/**
 * What came of a request; `status` 0: no answer.
 */
export type Answer = {
    status: number;
    requestId: string;
    retryAfter: string;
    document: any;
    cause?: unknown;
};
/**
 * `key`: an API key, on a server only. `token`: a player's. `timeout`: milliseconds for one attempt. `onRefused` hears
 * of awards from the buffer; one whose report throws is sent, and reported, again. `traceparent`: the caller's place in
 * a trace (W3C), if there is one; what is sent in the background has none.
 */
export type Options = {
    key?: string;
    token?: string | (() => string | Promise<string>);
    timeout?: number;
    attempts?: number;
    traceparent?: () => string | undefined;
    buffer?: MemoryBuffer;
    onRefused?: (award: Award, error: Refused) => void;
};
import { MemoryBuffer } from './buffer.js';
export { BufferFull, MemoryBuffer } from "./buffer.js";
