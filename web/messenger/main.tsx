// The messenger: signs in, then shows the conversations beside the open one.
import { render } from "preact";
import { useEffect } from "preact/hooks";
import { begin, client, follow, go, notice, openId } from "./model.js";
import { Icon } from "./parts.js";
import { say } from "./preferences.js";
import { Sidebar, sorted } from "./sidebar.js";
import { SignIn } from "./sign-in.js";
import { ThreadPane } from "./thread.js";

const NOTICE_MS = 6_000;

function App() {
  const parley = client.value;
  if (!parley) return <SignIn />;
  return (
    <div class={`app ${openId.value ? "open" : ""}`}>
      <Sidebar parley={parley} />
      <div class="pane">
        <Banner />
        {openId.value ? <ThreadPane key={openId.value} parley={parley} conversationId={openId.value} /> : <Nothing />}
      </div>
      <Notice />
    </div>
  );
}

function Nothing() {
  return (
    <main class="thread nothing">
      <Icon name="chat" />
      <h1>{say("choose")}</h1>
      <p class="muted">{say("chooseHint")}</p>
    </main>
  );
}

function Banner() {
  follow();
  const status = client.value?.status;
  const text = status === "online" ? "" : status === "refused" ? say("refused") : navigator.onLine && status === "connecting" ? say("connecting") : say("offline");
  return <div class={`banner ${text ? "shown" : ""}`} role="status">{text}</div>;
}

function Notice() {
  const text = notice.value;
  useEffect(() => {
    if (!text) return undefined;
    const timer = setTimeout(() => { notice.value = ""; }, NOTICE_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return <div class={`notice ${text ? "shown" : ""}`} role="alert">{text}</div>;
}

/** Ctrl K searches; Alt with an arrow goes to the next conversation. */
function keys(event: KeyboardEvent) {
  const parley = client.value;
  if (!parley) return;
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    event.preventDefault();
    document.querySelector<HTMLInputElement>("#search")?.focus();
  } else if (event.altKey && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
    const ids = sorted(parley, false).map((conversation) => conversation.conversationId);
    const next = ids[ids.indexOf(openId.value) + (event.key === "ArrowDown" ? 1 : -1)];
    event.preventDefault();
    if (next) go(next);
  }
}

addEventListener("keydown", keys);
begin();
render(<App />, document.querySelector("#app") as HTMLElement);
