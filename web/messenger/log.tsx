// The messages of a conversation, and where in them the reader is.
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Conversation, Message, ParleyClient } from "../client/src/index.js";
import { Icon } from "./parts.js";
import { attempt, follow } from "./model.js";
import { day, say } from "./preferences.js";
import { PendingRow, Row, type RowActions } from "./row.js";

const NEAR_TOP_PX = 600;
const AT_END_PX = 40;
const SEEN_MS = 500;
const GROUP_MS = 5 * 60_000;

export function Log({ parley, conversation, actions }: { parley: ParleyClient; conversation: Conversation; actions: RowActions }) {
  follow();
  const { conversationId } = conversation;
  const thread = parley.threads.get(conversationId);
  const pending = parley.outbox.entriesOf(conversationId);
  const scroller = useRef<HTMLDivElement>(null);
  const place = useRef({ atEnd: true, placed: false, pending: 0, loading: false, anchor: null as Element | null, top: 0 });
  const [atEnd, setAtEnd] = useState(true);
  const newFrom = useRef(-1);
  if (newFrom.current < 0 && thread?.isLoaded) newFrom.current = conversation.unreadCount > 0 ? conversation.readSeq + 1 : 0;

  function toEnd() {
    const box = scroller.current;
    if (box) box.scrollTop = box.scrollHeight;
  }

  async function older() {
    if (place.current.loading || !thread?.isLoaded || !thread.hasOlder) return;
    place.current.loading = true;
    await attempt(parley.loadOlder(conversationId));
    place.current.loading = false;
  }

  /** Remembers the first row in sight, so that rows before it can come without moving it. */
  function remember() {
    const box = scroller.current;
    if (!box) return;
    const top = box.getBoundingClientRect().top;
    const anchor = [...box.querySelectorAll("[data-seq]")].find((row) => row.getBoundingClientRect().bottom > top) ?? null;
    place.current.anchor = anchor;
    place.current.top = anchor ? anchor.getBoundingClientRect().top : 0;
    place.current.atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < AT_END_PX;
    setAtEnd(place.current.atEnd);
    if (box.scrollTop < NEAR_TOP_PX) void older();
  }

  useLayoutEffect(() => {
    const box = scroller.current;
    const now = place.current;
    if (!box || !thread?.isLoaded) return;
    const wrote = pending.length > now.pending;
    now.pending = pending.length;
    if (!now.placed) {
      now.placed = true;
      const divider = box.querySelector(".divider");
      if (divider) divider.scrollIntoView({ block: "center" });
      else toEnd();
    } else if (now.atEnd || wrote) toEnd();
    else if (now.anchor?.isConnected) box.scrollTop += now.anchor.getBoundingClientRect().top - now.top;
    remember();
  });

  // Read is what was on the screen for a moment, while somebody was there.
  useEffect(() => {
    const look = () => {
      const box = scroller.current;
      if (!box || document.visibilityState !== "visible" || !document.hasFocus()) return;
      const bottom = box.getBoundingClientRect().bottom + AT_END_PX;
      const seen = [...box.querySelectorAll<HTMLElement>("[data-seq]")].reverse().find((row) => row.getBoundingClientRect().bottom <= bottom);
      if (seen) parley.markRead(conversationId, Number(seen.dataset.seq));
    };
    const timer = setInterval(look, SEEN_MS);
    const resized = new ResizeObserver(() => place.current.atEnd && toEnd());
    if (scroller.current) resized.observe(scroller.current);
    return () => {
      clearInterval(timer);
      resized.disconnect();
    };
  }, [conversationId, parley]);

  function keys(event: KeyboardEvent & { currentTarget: HTMLElement }) {
    if (event.key !== "ArrowUp" && event.key !== "ArrowDown") return;
    const rows = [...event.currentTarget.querySelectorAll<HTMLElement>(".message")];
    const current = rows.indexOf((document.activeElement as Element).closest<HTMLElement>(".message") ?? (null as never));
    const next = rows[current < 0 ? rows.length - 1 : current + (event.key === "ArrowUp" ? -1 : 1)];
    event.preventDefault();
    next?.focus();
  }

  const messages = thread?.messages ?? [];
  const unseen = conversation.unreadCount;
  return (
    <div class="log-frame">
      <div class="log" ref={scroller} role="log" aria-live="off" aria-label={say("message")} tabIndex={0} onScroll={remember} onKeyDown={keys}>
        {!thread?.isLoaded && <p class="empty">{say("loading")}</p>}
        {thread?.isLoaded && <p class="empty">{thread.hasOlder ? say("loading") : say("beginning")}</p>}
        {messages.flatMap((message, index) => {
          const before = messages[index - 1];
          const newDay = !before || day(before.createTime) !== day(message.createTime);
          return [
            newDay && <div class="day" key={`day-${message.seq}`}><span>{day(message.createTime)}</span></div>,
            message.seq === newFrom.current && <div class="divider" key="divider"><span>{say("newMessages")}</span></div>,
            <Row key={message.clientMessageId + message.senderId} parley={parley} conversation={conversation} message={message} actions={actions}
              quoted={message.replyTo ? thread?.find(message.replyTo) : undefined} follows={!newDay && isSameBreath(before, message)} />,
          ];
        })}
        {pending.map((entry) => <PendingRow key={entry.clientMessageId + parley.userId} parley={parley} entry={entry} />)}
      </div>
      {!atEnd && (
        <button type="button" class="latest" aria-label={say("latest")} onClick={toEnd}>
          <Icon name="down" />{unseen > 0 && say("newBelow", { n: unseen })}
        </button>
      )}
    </div>
  );
}

function isSameBreath(before: Message | undefined, message: Message): boolean {
  return before?.senderId === message.senderId && Date.parse(message.createTime) - Date.parse(before.createTime) < GROUP_MS;
}
