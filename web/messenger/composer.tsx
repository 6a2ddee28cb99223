import { useEffect, useRef, useState } from "preact/hooks";
import type { Conversation, Message, ParleyClient } from "../client/src/index.js";
import { attempt, nameOf, summary, titleOf } from "./model.js";
import { IconButton } from "./parts.js";
import { say, stored } from "./preferences.js";

const TYPING_MS = 3_000;

/** What the composer is about besides a new message. */
export type Task = { kind: "reply" | "edit"; message: Message } | null;

export function Composer(props: { parley: ParleyClient; conversation: Conversation; task: Task; onTask: (task: Task) => void }) {
  const { parley, conversation, task, onTask } = props;
  const { conversationId } = conversation;
  const key = `draft.${conversationId}`;
  const [text, setText] = useState(stored.get(key) ?? "");
  const field = useRef<HTMLTextAreaElement>(null);
  const typedAt = useRef(0);
  const composedAt = useRef(0);
  const limit = parley.session?.limits.textBytes ?? 16_384;
  const tooLong = new TextEncoder().encode(text).length > limit;

  useEffect(() => {
    if (task?.kind === "edit") setText(task.message.text);
    if (task) field.current?.focus();
  }, [task]);

  useEffect(() => {
    if (matchMedia("(min-width: 760px)").matches) field.current?.focus();
    return () => { if (typedAt.current) parley.setTyping(conversationId, false); };
  }, [conversationId, parley]);

  function write(value: string) {
    setText(value);
    if (task?.kind !== "edit") stored.set(key, value || null);
    if (value && Date.now() - typedAt.current > TYPING_MS) {
      typedAt.current = Date.now();
      parley.setTyping(conversationId, true);
    } else if (!value && typedAt.current) stopTyping();
  }

  function stopTyping() {
    typedAt.current = 0;
    parley.setTyping(conversationId, false);
  }

  function cancel() {
    if (task?.kind === "edit") setText(stored.get(key) ?? "");
    onTask(null);
  }

  async function submit() {
    const written = text.trim();
    if (!written || tooLong) return;
    if (task?.kind === "edit") {
      const { messageId } = task.message;
      cancel();
      await attempt(parley.change("message.edit", { conversationId, messageId, text: written }));
      return;
    }
    parley.send(conversationId, { text: written, ...(task ? { replyTo: task.message.messageId } : {}) });
    typedAt.current = 0;
    write("");
    onTask(null);
    field.current?.focus();
  }

  function keys(event: KeyboardEvent) {
    // An input method ends its word with Enter, which sends nothing.
    if (event.isComposing || event.keyCode === 229 || Date.now() - composedAt.current < 20) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      void submit();
    } else if (event.key === "Escape" && task) {
      cancel();
    } else if (event.key === "ArrowUp" && !text && !task) {
      const mine = parley.threads.get(conversationId)?.messages.findLast((one) => one.senderId === parley.userId && !one.deleteTime);
      if (mine) {
        event.preventDefault();
        onTask({ kind: "edit", message: mine });
      }
    }
  }

  return (
    <form class="composer" onSubmit={(event) => { event.preventDefault(); void submit(); }}>
      {task && (
        <div class="task">
          <span><strong>{task.kind === "edit" ? say("editing") : say("replyingTo", { name: nameOf(parley, task.message.senderId) })}</strong> <bdi class="muted">{summary(task.message).slice(0, 160)}</bdi></span>
          <IconButton icon="close" label={say("cancel")} onClick={cancel} />
        </div>
      )}
      <textarea ref={field} rows={1} value={text} dir="auto" placeholder={say("writeTo", { name: titleOf(parley, conversation) })} aria-label={say("message")}
        aria-invalid={tooLong} onInput={(event) => write(event.currentTarget.value)} onKeyDown={keys}
        onCompositionEnd={() => { composedAt.current = Date.now(); }} onBlur={() => typedAt.current && stopTyping()} />
      <button type="submit" class="primary" disabled={!text.trim() || tooLong}>{say("send")}</button>
      {tooLong && <p class="problem" role="alert">{say("tooLong")}</p>}
    </form>
  );
}
