import { useState } from "preact/hooks";
import { ParleyError } from "../client/src/index.js";
import { signIn } from "./model.js";
import { say } from "./preferences.js";
import type { Words } from "./words.js";

export function SignIn() {
  const [problem, setProblem] = useState<keyof Words | "">("");
  const [busy, setBusy] = useState(false);

  async function submit(event: SubmitEvent) {
    event.preventDefault();
    const data = new FormData(event.target as HTMLFormElement);
    setBusy(true);
    setProblem("");
    try {
      await signIn(String(data.get("email")), String(data.get("password")));
    } catch (error) {
      const code = error instanceof ParleyError ? error.code : "";
      setProblem(code === "RESOURCE_EXHAUSTED" ? "tooMany" : code === "UNAVAILABLE" ? "unreachable" : "wrongPassword");
      setBusy(false);
    }
  }

  return (
    <main class="sign-in">
      <form onSubmit={submit}>
        <img src="/icon.svg" alt="" width="48" height="48" />
        <h1>Parley</h1>
        <p class="muted">{say("tagline")}</p>
        <label>{say("email")}<input name="email" type="email" autocomplete="username" required /></label>
        <label>{say("password")}<input name="password" type="password" autocomplete="current-password" required /></label>
        <p class="problem" role="alert">{problem && say(problem)}</p>
        <button class="primary" type="submit" disabled={busy}>{say("signIn")}</button>
        <a href="/docs">{say("apiDocs")}</a>
      </form>
    </main>
  );
}
