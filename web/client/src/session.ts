// Tokens: signing in, exchanging a CRM's token, and refreshing before expiry.
import type { User } from "./contract.js";
import { type ErrorObject, ParleyError } from "./protocol.js";

/** Keeps the refresh token between visits; `exclusive` keeps two tabs from using one token twice. */
export interface TokenStore {
  load(): string | null;
  save(refreshToken: string | null): void;
  exclusive<T>(action: () => Promise<T>): Promise<T>;
}

/** What connects: returns a valid access token. Throws a ParleyError; UNAUTHENTICATED means: sign in again. */
export interface TokenSource {
  accessToken(fresh: boolean): Promise<string>;
}

interface TokenResponse {
  accessToken: string;
  refreshToken: string;
  expiresIn: number;
  user: User;
}

const MARGIN_MS = 30_000;
const TIMEOUT_MS = 15_000;

/** A token store that forgets everything with the page. */
export function memoryTokens(): TokenStore {
  let kept: string | null = null;
  return { load: () => kept, save: (token) => void (kept = token), exclusive: (action) => action() };
}

/** A signed-in session of Parley's own tokens. */
export class Session implements TokenSource {
  #access = "";
  #expiresAt = 0;
  #refreshing: Promise<string> | null = null;

  constructor(
    private readonly url: string,
    private readonly store: TokenStore = memoryTokens(),
  ) {}

  /** Whether a refresh token is at hand. */
  get isSignedIn(): boolean {
    return this.store.load() !== null;
  }

  /** Exchanges an e-mail address and a password for tokens. */
  async signIn(email: string, password: string): Promise<User> {
    return this.#adopt(await this.#post("/api/auth/login", { email, password }));
  }

  /** Exchanges a token that a trusted CRM signed. */
  async exchange(token: string): Promise<User> {
    return this.#adopt(await this.#post("/api/auth/exchange", { token }));
  }

  /** Forgets the tokens, and ends the session at the server as far as it can be reached. */
  async signOut(): Promise<void> {
    const access = await this.accessToken(false).catch(() => "");
    this.forget();
    if (access) await this.#post("/api/auth/logout", {}, access).catch(() => undefined);
  }

  forget(): void {
    this.#access = "";
    this.#expiresAt = 0;
    this.store.save(null);
  }

  async accessToken(fresh: boolean): Promise<string> {
    if (!fresh && this.#access && Date.now() < this.#expiresAt - MARGIN_MS) return this.#access;
    this.#refreshing ??= this.store.exclusive(() => this.#refresh()).finally(() => (this.#refreshing = null));
    return this.#refreshing;
  }

  async #refresh(): Promise<string> {
    const refreshToken = this.store.load();
    if (refreshToken === null) throw new ParleyError({ code: "UNAUTHENTICATED", reason: "SIGNED_OUT" });
    this.#adopt(await this.#post("/api/auth/refresh", { refreshToken }));
    return this.#access;
  }

  #adopt(response: TokenResponse): User {
    this.#access = response.accessToken;
    this.#expiresAt = Date.now() + response.expiresIn * 1000;
    this.store.save(response.refreshToken);
    return response.user;
  }

  async #post(path: string, body: object, access = ""): Promise<TokenResponse> {
    const headers: Record<string, string> = { "Content-Type": "application/json" };
    if (access) headers.Authorization = `Bearer ${access}`;
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const response = await fetch(this.url + path, { method: "POST", headers, body: JSON.stringify(body), signal }).catch(
      () => {
        throw new ParleyError({ code: "UNAVAILABLE", reason: "UNREACHABLE" });
      },
    );
    const answer = (await response.json().catch(() => ({}))) as TokenResponse & { error?: ErrorObject };
    if (!response.ok) {
      const code = response.status === 401 ? "UNAUTHENTICATED" : "UNAVAILABLE";
      throw new ParleyError(answer.error ?? { code, reason: `HTTP_${response.status}` });
    }
    return answer;
  }
}

/** Tokens of an embedding page: exchanges the CRM's token, which `getToken` returns, each time one expires. */
export class EmbeddedSession implements TokenSource {
  readonly #session: Session;
  #hasToken = false;

  constructor(
    url: string,
    private readonly getToken: () => string | Promise<string>,
  ) {
    this.#session = new Session(url);
  }

  async accessToken(fresh: boolean): Promise<string> {
    if (!this.#hasToken || fresh) {
      await this.#session.exchange(await this.getToken());
      this.#hasToken = true;
    }
    return this.#session.accessToken(false);
  }
}
