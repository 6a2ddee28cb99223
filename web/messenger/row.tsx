// A message, or one on its way, as a row of the log.
import type { Conversation, Message, OutboxEntry, ParleyClient } from "../client/src/index.js";
import { attempt, nameOf, summary } from "./model.js";
import { IconButton, Icon, Text } from "./parts.js";
import { clock, say } from "./preferences.js";

const QUICK = ["👍", "❤️", "😂", "🎉", "😮", "🙏"];

export interface RowActions {
  reply: (message: Message) => void;
  edit: (message: Message) => void;
}

export function Row(props: { parley: ParleyClient; conversation: Conversation; message: Message; quoted: Message | undefined; follows: boolean; actions: RowActions }) {
  const { parley, conversation, message, quoted, actions } = props;
  const mine = message.senderId === parley.userId;
  const ids = { conversationId: message.conversationId, messageId: message.messageId };
  const gone = message.deleteTime !== undefined;
  const reacted = (emoji: string) => message.reactions?.[emoji]?.includes(parley.userId) ?? false;
  const react = (emoji: string) => void attempt(parley.change(reacted(emoji) ? "message.unreact" : "message.react", { ...ids, emoji }));
  const remove = () => { if (confirm(say("deleteQuestion"))) void attempt(parley.change("message.delete", ids)); };

  function keys(event: KeyboardEvent & { currentTarget: HTMLElement }) {
    if (event.target !== event.currentTarget || gone || event.ctrlKey || event.metaKey || event.altKey) return;
    const key = event.key.toLowerCase();
    if (key === "enter") event.currentTarget.querySelector<HTMLElement>(".actions button, .actions summary")?.focus();
    else if (key === "r") actions.reply(message);
    else if (key === "e" && mine) actions.edit(message);
    else if (key === "d" && mine) remove();
    else return;
    event.preventDefault();
  }

  return (
    <article class={`message ${mine ? "mine" : ""} ${props.follows ? "follows" : ""}`} data-seq={message.seq} tabIndex={-1} onKeyDown={keys}
      aria-label={`${nameOf(parley, message.senderId)}, ${clock(message.createTime)}`}>
      <div class="bubble">
        {!mine && !props.follows && conversation.kind !== "direct" && <div class="sender"><bdi>{nameOf(parley, message.senderId)}</bdi></div>}
        {message.replyTo && !gone && <blockquote><bdi>{quoted ? `${nameOf(parley, quoted.senderId)}: ${summary(quoted).slice(0, 160)}` : "…"}</bdi></blockquote>}
        {gone ? <span class="gone">{say("deleted")}</span> : <Text text={message.text} />}
        {message.attachments?.map((file) => (
          <a class="file" key={file.url} {...(/^https?:/.test(file.url) ? { href: file.url } : {})} target="_blank" rel="noopener noreferrer nofollow"><bdi>{file.name || say("attachment")}</bdi></a>
        ))}
        <span class="meta">
          {message.editTime && !gone && `${say("edited")} · `}<time dateTime={message.createTime}>{clock(message.createTime)}</time>
          {mine && !gone && <Ticks parley={parley} conversation={conversation} seq={message.seq} />}
        </span>
      </div>
      {message.reactions && (
        <div class="reactions">
          {Object.entries(message.reactions).map(([emoji, userIds]) => (
            <button type="button" key={emoji} aria-pressed={reacted(emoji)} title={userIds.map((id) => nameOf(parley, id)).join(", ")} onClick={() => react(emoji)}>{emoji} {userIds.length}</button>
          ))}
        </div>
      )}
      {!gone && (
        <div class="actions">
          <details name="react">
            <summary aria-label={say("react")} title={say("react")} tabIndex={-1}><Icon name="smile" /></summary>
            <div class="quick">{QUICK.map((emoji) => <button type="button" key={emoji} onClick={(event) => { react(emoji); event.currentTarget.closest("details")?.removeAttribute("open"); }}>{emoji}</button>)}</div>
          </details>
          <IconButton icon="reply" label={say("reply")} onClick={() => actions.reply(message)} tabIndex={-1} />
          {mine && <IconButton icon="edit" label={say("edit")} onClick={() => actions.edit(message)} tabIndex={-1} />}
          {mine && <IconButton icon="delete" label={say("delete")} onClick={remove} tabIndex={-1} />}
        </div>
      )}
    </article>
  );
}

function Ticks({ parley, conversation, seq }: { parley: ParleyClient; conversation: Conversation; seq: number }) {
  const others = conversation.members?.filter((member) => member.userId !== parley.userId) ?? [];
  if (others.length && others.every((member) => member.readSeq >= seq)) return <span class="ticks read"><Icon name="ticks" label={say("read")} /></span>;
  if (others.length && others.every((member) => member.deliveredSeq >= seq)) return <span class="ticks"><Icon name="ticks" label={say("delivered")} /></span>;
  return <span class="ticks"><Icon name="tick" label={say("sent")} /></span>;
}

export function PendingRow({ parley, entry }: { parley: ParleyClient; entry: OutboxEntry }) {
  return (
    <article class={`message mine ${entry.error ? "failed" : "pending"}`} tabIndex={-1} aria-label={entry.error ? say("notSent") : say("pending")}>
      <div class="bubble">
        <Text text={entry.text} />
        <span class="meta">{entry.error ? say("notSent") : <Icon name="clock" label={say("pending")} />}</span>
      </div>
      {entry.error && (
        <div class="failure" role="alert">
          <code>{entry.error}</code>
          <button type="button" onClick={() => parley.outbox.retry(entry.clientMessageId)}>{say("retry")}</button>
          <button type="button" onClick={() => parley.outbox.remove(entry.clientMessageId)}>{say("delete")}</button>
        </div>
      )}
    </article>
  );
}
