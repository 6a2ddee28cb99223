// Who is signed in. The tokens live in this page alone and are gone when it is closed.

import { byId, element } from "./dom.js";
import { send } from "./request.js";

let session = null;

/** The access token, or "" when nobody is signed in. */
export const token = () => session?.accessToken ?? "";

/** Shows the sign-in form, or who is signed in. */
export function showAccount(problem = "") {
  const form = byId("account");
  form.onsubmit = session ? signOut : signIn;
  form.replaceChildren(
    ...(session
      ? [
          element("span.who", {}, `${session.user.name} · ${session.user.role}`),
          element("button.button", {}, "Sign out"),
        ]
      : [
          element("span.problem", { role: "status" }, problem),
          element("input", { name: "email", type: "email", placeholder: "E-mail", required: true, "aria-label": "E-mail", autocomplete: "username" }),
          element("input", { name: "password", type: "password", placeholder: "Password", required: true, "aria-label": "Password", autocomplete: "current-password" }),
          element("button.button.main", {}, "Sign in"),
        ]),
  );
}

async function signIn(event) {
  event.preventDefault();
  const { email, password } = Object.fromEntries(new FormData(event.target));
  const answer = await attempt("/api/auth/login", JSON.stringify({ email, password }));
  session = answer.ok ? answer.json : null;
  showAccount(answer.ok ? "" : (answer.json?.error?.message ?? `status ${answer.status}`));
}

async function signOut(event) {
  event.preventDefault();
  await attempt("/api/auth/logout", "");
  session = null;
  showAccount();
}

async function attempt(path, body) {
  try {
    return await send({ method: "POST", path, token: token(), body });
  } catch {
    return { ok: false, status: 0, json: { error: { message: "the server can't be reached" } } };
  }
}
