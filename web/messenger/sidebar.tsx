// The left side: who I am, search, and the conversations.
import { useEffect, useRef, useState } from "preact/hooks";
import type { Conversation, ParleyClient, User } from "../client/src/index.js";
import { attempt, follow, go, isMuted, nameOf, openId, peerOf, signOut, summary, titleOf } from "./model.js";
import { NewGroup } from "./new-group.js";
import { Avatar, Icon, IconButton, presenceWord } from "./parts.js";
import { brief, language, say, setLanguage, setTheme, stored, theme, type Theme } from "./preferences.js";
import { LANGUAGES, type Language } from "./words.js";

export function sorted(parley: ParleyClient, archived: boolean): Conversation[] {
  const listed = [...parley.conversations.values()].filter((one) => one.archived === archived);
  return listed.sort((a, b) => Number(b.pinned ?? false) - Number(a.pinned ?? false) || b.lastActivityTime.localeCompare(a.lastActivityTime));
}

export function Sidebar({ parley }: { parley: ParleyClient }) {
  follow();
  const [query, setQuery] = useState("");
  const [archived, setArchived] = useState(false);
  const [grouping, setGrouping] = useState(false);
  const people = usePeople(parley, query);
  const wanted = query.trim().toLowerCase();
  const listed = wanted
    ? [...sorted(parley, false), ...sorted(parley, true)].filter((one) => titleOf(parley, one).toLowerCase().includes(wanted))
    : sorted(parley, archived);

  async function write(user: User) {
    const conversation = await attempt(parley.openDirect(user.userId));
    if (conversation) go(conversation.conversationId);
    setQuery("");
  }

  return (
    <nav class="sidebar" aria-label={say("conversations")}>
      <header>
        <Me parley={parley} />
        <IconButton icon="plus" label={say("newGroup")} onClick={() => setGrouping(true)} />
      </header>
      <input id="search" class="search" type="search" value={query} placeholder={say("search")} aria-label={say("search")}
        onInput={(event) => setQuery(event.currentTarget.value)} onKeyDown={(event) => event.key === "Escape" && setQuery("")} />
      {!wanted && (
        <div class="tabs">
          <button type="button" aria-pressed={!archived} onClick={() => setArchived(false)}>{say("all")}</button>
          <button type="button" aria-pressed={archived} onClick={() => { setArchived(true); void attempt(parley.loadArchived()); }}>{say("archived")}</button>
        </div>
      )}
      <div class="rows" onKeyDown={moveFocus}>
        {listed.length === 0 && !wanted && <p class="empty">{parley.session ? say("noConversations") : say("loading")}</p>}
        {listed.map((conversation) => <Entry key={conversation.conversationId} parley={parley} conversation={conversation} />)}
        {wanted && people.length > 0 && <h2>{say("people")}</h2>}
        {wanted && people.map((user) => (
          <button type="button" class="row" key={user.userId} onClick={() => void write(user)}>
            <Avatar parley={parley} userId={user.userId} name={user.name} />
            <span class="who"><bdi>{user.name}</bdi></span>
            <span class="last muted">{user.role}</span>
          </button>
        ))}
        {wanted && listed.length + people.length === 0 && <p class="empty">{say("nothingFound")}</p>}
      </div>
      {grouping && <NewGroup parley={parley} onClose={() => setGrouping(false)} />}
    </nav>
  );
}

/** The people whom a query finds, a moment after the last key. */
export function usePeople(parley: ParleyClient, query: string): User[] {
  const [people, setPeople] = useState<User[]>([]);
  useEffect(() => {
    const wanted = query.trim();
    let current = true;
    const timer = setTimeout(async () => {
      const users = wanted ? await parley.searchUsers(wanted).catch(() => []) : [];
      if (current) setPeople(users.filter((user) => user.userId !== parley.userId));
    }, wanted ? 150 : 0);
    return () => {
      current = false;
      clearTimeout(timer);
    };
  }, [query, parley]);
  return people;
}

function Entry({ parley, conversation }: { parley: ParleyClient; conversation: Conversation }) {
  follow();
  const { conversationId, lastMessage, unreadCount } = conversation;
  const title = titleOf(parley, conversation);
  const peer = peerOf(parley, conversation);
  const typing = [...(parley.typing.get(conversationId) ?? [])];
  const from = !lastMessage ? "" : lastMessage.senderId === parley.userId ? `${say("you")}: ` : peer ? "" : `${nameOf(parley, lastMessage.senderId)}: `;
  return (
    <a class={`row ${unreadCount ? "unread" : ""}`} href={`/chat/${conversationId}`} aria-current={openId.value === conversationId ? "page" : undefined}
      onClick={(event) => { if (!event.ctrlKey && !event.metaKey) { event.preventDefault(); go(conversationId); } }}>
      <Avatar parley={parley} userId={peer} name={title} />
      <span class="who"><bdi>{title}</bdi>{isMuted(conversation) && <Icon name="mute" label={say("muted")} />}</span>
      <time class="muted" dateTime={conversation.lastActivityTime}>{brief(conversation.lastActivityTime)}</time>
      <span class="last muted">
        {typing.length ? <em>{say("typingOne", { name: nameOf(parley, typing[0] ?? "") })}</em> : lastMessage && <bdi>{from}{summary(lastMessage).slice(0, 120)}</bdi>}
      </span>
      {unreadCount > 0 && <span class="badge" role="img" aria-label={say("unread", { n: unreadCount })}>{unreadCount > 99 ? "99+" : unreadCount}</span>}
    </a>
  );
}

function moveFocus(event: KeyboardEvent & { currentTarget: HTMLElement }) {
  const rows = [...event.currentTarget.querySelectorAll<HTMLElement>(".row")];
  const next = rows.indexOf(document.activeElement as HTMLElement) + (event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : Number.NaN);
  if (event.altKey || !rows[next]) return;
  event.preventDefault();
  rows[next].focus();
}

const STATUSES = ["online", "away", "dnd", "invisible"] as const;

function Me({ parley }: { parley: ParleyClient }) {
  follow();
  const menu = useRef<HTMLDetailsElement>(null);
  const id = parley.userId || (stored.get("user") ?? "");
  const name = parley.session?.user.name ?? nameOf(parley, id);
  const mine = parley.presence.get(id)?.status ?? "online";
  const close = () => menu.current?.removeAttribute("open");
  useEffect(() => {
    const outside = (event: Event) => { if (!menu.current?.contains(event.target as Node)) close(); };
    document.addEventListener("pointerdown", outside);
    return () => document.removeEventListener("pointerdown", outside);
  }, []);
  return (
    <details class="me" ref={menu} onKeyDown={(event) => event.key === "Escape" && close()}>
      <summary aria-label={`${name}: ${say("settings")}`}>
        <Avatar parley={parley} userId={id} name={name} />
        <span class="who"><bdi>{name}</bdi><span class="muted">{presenceWord(parley, id)}</span></span>
      </summary>
      <div class="menu">
        <label>{say("status")}
          <select value={mine} onChange={(event) => void attempt(parley.call("presence.set", { status: event.currentTarget.value as (typeof STATUSES)[number] }))}>
            {STATUSES.map((status) => <option key={status} value={status}>{say(status)}</option>)}
          </select>
        </label>
        <label>{say("theme")}
          <select value={theme.value} onChange={(event) => setTheme(event.currentTarget.value as Theme)}>
            {(["system", "light", "dark"] as const).map((one) => <option key={one} value={one}>{say(one)}</option>)}
          </select>
        </label>
        <label>{say("language")}
          <select value={language.value} onChange={(event) => setLanguage(event.currentTarget.value as Language)}>
            {Object.entries(LANGUAGES).map(([code, own]) => <option key={code} value={code} lang={code}>{own}</option>)}
          </select>
        </label>
        <a href="/docs">{say("apiDocs")}</a>
        <button type="button" onClick={() => void signOut().catch(() => undefined)}>{say("signOut")}</button>
      </div>
    </details>
  );
}
