// Small parts that several views share.
import type { ComponentChildren } from "preact";
import type { ParleyClient } from "../client/src/index.js";
import { follow } from "./model.js";
import { say } from "./preferences.js";

const PATHS = {
  send: "M4 12 20 4l-5 16-3-7z", back: "M15 5l-7 7 7 7", plus: "M12 5v14M5 12h14", more: "M5 12h.01M12 12h.01M19 12h.01",
  down: "M12 5v14M6 13l6 6 6-6", close: "M6 6l12 12M18 6L6 18", reply: "M9 7l-5 5 5 5M4 12h9a6 6 0 0 1 6 6",
  edit: "M4 20l1-4L16 5l3 3L8 19zM14 7l3 3", delete: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13", smile: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M9 10h.01M15 10h.01M8.5 14a4 4 0 0 0 7 0",
  mute: "M6 16V11a6 6 0 0 1 9-5M18 11v5M4 16h12M10 20h4M4 4l16 16", chat: "M4 5h16v11H10l-5 4v-4H4z",
  clock: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M12 8v4l3 2", tick: "M5 12l4 4 9-9", ticks: "M2 12l4 4 8-9M11 15l1 1 9-9",
} as const;
export type IconName = keyof typeof PATHS;

export function Icon({ name, label }: { name: IconName; label?: string }) {
  const naming = label ? { role: "img" as const, "aria-label": label } : { "aria-hidden": true as const };
  return (
    <svg class="icon" viewBox="0 0 24 24" {...naming}>
      <path d={PATHS[name]} />
    </svg>
  );
}

export function IconButton(props: { icon: IconName; label: string; onClick: () => void; class?: string; tabIndex?: number }) {
  return (
    <button type="button" class={`icon-button ${props.class ?? ""}`} aria-label={props.label} title={props.label} onClick={props.onClick} tabIndex={props.tabIndex ?? 0}>
      <Icon name={props.icon} />
    </button>
  );
}

/** Initials on a colour of the name's, with a presence dot; pictures of other hosts are never loaded. */
export function Avatar({ parley, userId, name }: { parley: ParleyClient; userId: string; name: string }) {
  follow();
  const words = name.split(/\s+/).filter(Boolean);
  const initials = [words[0], words.length > 1 ? words.at(-1) : ""].map((word) => [...(word ?? "")][0] ?? "").join("");
  const hue = [...name].reduce((sum, letter) => (sum * 31 + (letter.codePointAt(0) ?? 0)) % 6, 0);
  const status = userId ? (parley.presence.get(userId)?.status ?? "offline") : "";
  return (
    <span class={`avatar tone-${hue}`} aria-hidden="true">
      {initials.toUpperCase()}
      {status && status !== "offline" && status !== "invisible" && <span class={`dot ${status}`} />}
    </span>
  );
}

export function presenceWord(parley: ParleyClient, userId: string): string {
  follow();
  const presence = parley.presence.get(userId);
  const known = (["online", "away", "dnd", "invisible"] as const).find((status) => status === presence?.status);
  const word = say(known ?? "presenceOffline");
  return presence?.text ? `${word} · ${presence.text}` : word;
}

const LINK = /https?:\/\/[^\s<>"']+[^\s<>"'.,;:!?)\]}]/g;

/** A text with its links; all of it is text, whatever it looks like. */
export function Text({ text }: { text: string }) {
  const parts: ComponentChildren[] = [];
  let end = 0;
  for (const found of text.matchAll(LINK)) {
    const target = URL.parse(found[0]);
    if (!target) continue;
    parts.push(text.slice(end, found.index));
    // Letters of other scripts may imitate a host's name, so such a host is shown in its ASCII form.
    const shown = /^[\x20-\x7e]+$/.test(found[0]) ? found[0] : target.href;
    parts.push(<a href={target.href} target="_blank" rel="noopener noreferrer nofollow">{shown}</a>);
    end = found.index + found[0].length;
  }
  parts.push(text.slice(end));
  return <span class="text" dir="auto">{parts}</span>;
}
