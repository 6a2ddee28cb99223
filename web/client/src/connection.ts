// One WebSocket that comes back: reconnects with full jitter, repeats what may be repeated, and refreshes its token.
import { CHANGES, READS, type Replies, type Requests } from "./contract.js";
import { type ErrorObject, ParleyError, type ServerEvent, type SessionReady, subprotocols } from "./protocol.js";
import type { TokenSource } from "./session.js";

export type Status = "connecting" | "online" | "waiting" | "signed-out" | "refused" | "stopped";
export type Op = keyof Requests;

export interface ConnectionHandlers {
  status(status: Status): void;
  ready(session: SessionReady): void;
  event(event: ServerEvent): void;
}

interface Pending {
  op: string;
  body: object;
  sent: boolean;
  timer: ReturnType<typeof setTimeout>;
  resolve(value: unknown): void;
  reject(error: ParleyError): void;
}

const TIMEOUT_MS = 20_000;
const OPEN_TIMEOUT_MS = 10_000;
const SILENCE_MS = 30_000;
const PROBE_MS = 5_000;
const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 30_000;
const REFUSED = new Set([4400, 4403]);

export class Connection {
  #socket: WebSocket | null = null;
  #status: Status = "stopped";
  #pending = new Map<number, Pending>();
  #nextId = 1;
  #failures = 0;
  #needsFreshToken = false;
  #reconnectAfterMs: number | null = null;
  #heardAt = 0;
  #timers = new Set<ReturnType<typeof setTimeout>>();
  #isReady = false;

  constructor(
    private readonly url: string,
    private readonly tokens: TokenSource,
    private readonly handlers: ConnectionHandlers,
  ) {}

  get status(): Status {
    return this.#status;
  }

  start(): void {
    if (this.#status === "stopped" || this.#status === "signed-out") void this.#connect();
  }

  /** Closes the connection for good; open requests fail with CANCELLED. */
  stop(): void {
    this.#setStatus("stopped");
    this.#drop();
    for (const id of [...this.#pending.keys()]) this.#fail(id, { code: "CANCELLED", reason: "STOPPED" });
  }

  /** Connects now instead of after the delay, or checks that an open connection is alive. */
  wake(): void {
    if (this.#status === "waiting") void this.#connect();
    else if (this.#status === "online") this.#probe();
  }

  /** Makes a request. Reads and changes survive a reconnect; the server recognizes a repeat by its `requestId`. */
  call<O extends Op>(op: O, body: Requests[O]): Promise<Replies[O]> {
    const full = CHANGES.has(op) ? { requestId: crypto.randomUUID(), ...body } : body;
    return new Promise<Replies[O]>((resolve, reject) => {
      const id = this.#nextId++;
      const timer = setTimeout(
        () => this.#fail(id, { code: "DEADLINE_EXCEEDED", reason: "NO_ANSWER" }),
        TIMEOUT_MS,
      );
      const pending = { op, body: full, sent: false, timer, resolve: resolve as (value: unknown) => void, reject };
      this.#pending.set(id, pending);
      if (this.#isReady) this.#send(id, pending);
      else if (!isRepeatable(op)) this.#fail(id, { code: "UNAVAILABLE", reason: "OFFLINE" });
    });
  }

  async #connect(): Promise<void> {
    this.#drop();
    this.#setStatus("connecting");
    let token: string;
    try {
      token = await this.tokens.accessToken(this.#needsFreshToken);
    } catch (error) {
      if (this.status !== "connecting") return;
      const isFinal = error instanceof ParleyError && !error.isTemporary && error.code === "UNAUTHENTICATED";
      if (isFinal) this.#setStatus("signed-out");
      else this.#retry();
      return;
    }
    if (this.status !== "connecting") return;
    const socket = new WebSocket(`${this.url.replace(/^http/, "ws")}/ws`, subprotocols(token));
    this.#socket = socket;
    let wasReady = false;
    this.#later(OPEN_TIMEOUT_MS, () => wasReady || this.#lost(socket, 1006, false));
    socket.onmessage = (message) => {
      if (this.#socket !== socket) return;
      wasReady = true;
      this.#receive(String(message.data));
    };
    socket.onclose = (close) => this.#lost(socket, close.code, wasReady);
  }

  #lost(socket: WebSocket, code: number, wasReady: boolean): void {
    if (this.#socket !== socket) return;
    this.#drop();
    for (const [id, pending] of this.#pending) {
      if (!isRepeatable(pending.op)) this.#fail(id, { code: "UNAVAILABLE", reason: "CONNECTION_LOST" });
      pending.sent = false;
    }
    // A browser cannot see why an upgrade was refused. A fresh token rules out that it was for the token.
    this.#needsFreshToken = code === 4401 || (!wasReady && this.#failures > 0);
    if (REFUSED.has(code)) this.#setStatus("refused");
    else this.#retry();
  }

  #retry(): void {
    const longest = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** this.#failures++);
    const delay = this.#reconnectAfterMs ?? Math.random() * longest;
    this.#reconnectAfterMs = null;
    this.#setStatus("waiting");
    this.#later(delay, () => this.#status === "waiting" && void this.#connect());
  }

  #receive(text: string): void {
    this.#heardAt = Date.now();
    const frame = JSON.parse(text) as { id?: number; ok?: unknown; error?: ErrorObject } & Partial<ServerEvent>;
    if (frame.event) this.#event(frame as ServerEvent);
    else if (frame.id && frame.error) this.#fail(frame.id, frame.error);
    else if (frame.id) this.#settle(frame.id)?.resolve(frame.ok ?? {});
  }

  #event(event: ServerEvent): void {
    if (event.event === "session.closing") this.#reconnectAfterMs = event.body.reconnectAfterMs;
    if (event.event === "session.ready") this.#becomeReady(event.body);
    this.handlers.event(event);
  }

  #becomeReady(session: SessionReady): void {
    this.#isReady = true;
    this.#failures = 0;
    this.#needsFreshToken = false;
    this.#setStatus("online");
    this.#planRefresh(session.serverTime, session.expireTime);
    this.#planProbe();
    for (const [id, pending] of this.#pending) if (!pending.sent) this.#send(id, pending);
    this.handlers.ready(session);
  }

  #planRefresh(now: string, expireTime: string): void {
    const life = Date.parse(expireTime) - Date.parse(now);
    this.#later(Math.max(1000, Math.min(life - 60_000, 2 ** 31 - 1)), () => void this.#refresh());
  }

  async #refresh(): Promise<void> {
    try {
      const accessToken = await this.tokens.accessToken(true);
      const reply = (await this.call("session.refresh" as Op, { accessToken } as never)) as unknown;
      this.#planRefresh(new Date().toISOString(), (reply as { expireTime: string }).expireTime);
    } catch {
      this.#later(5000, () => void this.#refresh()); // The server closes with 4401 when it is too late.
    }
  }

  #planProbe(): void {
    this.#later(SILENCE_MS, () => {
      if (Date.now() - this.#heardAt >= SILENCE_MS) this.#probe();
      this.#planProbe();
    });
  }

  /** Asks for something cheap: a page sees neither the server's pings nor a network that is gone. */
  #probe(): void {
    const socket = this.#socket;
    if (!socket || !this.#isReady) return;
    const askedAt = Date.now();
    this.call("notification.unreadCount", {}).catch(() => undefined);
    this.#later(PROBE_MS, () => this.#heardAt < askedAt && this.#lost(socket, 1006, true));
  }

  #send(id: number, pending: Pending): void {
    pending.sent = true;
    this.#socket?.send(JSON.stringify({ id, op: pending.op, body: pending.body }));
  }

  #fail(id: number, error: ErrorObject): void {
    this.#settle(id)?.reject(new ParleyError(error));
  }

  #settle(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    if (pending) clearTimeout(pending.timer);
    this.#pending.delete(id);
    return pending;
  }

  #drop(): void {
    const socket = this.#socket;
    this.#socket = null;
    this.#isReady = false;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    socket?.close(1000);
  }

  #later(delayMs: number, action: () => unknown): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      action();
    }, delayMs);
    this.#timers.add(timer);
  }

  #setStatus(status: Status): void {
    if (this.#status === status) return;
    this.#status = status;
    this.handlers.status(status);
  }
}

function isRepeatable(op: string): boolean {
  return READS.has(op) || CHANGES.has(op) || op === "message.send" || op === "message.forward";
}
