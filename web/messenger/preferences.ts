// What this browser remembers: theme, language, drafts. Storage that is full or blocked is done without.
import { effect, signal } from "@preact/signals";
import { CATALOGUES, LANGUAGES, type Language, type Words } from "./words.js";

export type Theme = "system" | "light" | "dark";

export const stored = {
  get(key: string): string | null {
    try {
      return localStorage.getItem(`parley.${key}`);
    } catch {
      return null;
    }
  },
  set(key: string, value: string | null): void {
    try {
      if (value === null) localStorage.removeItem(`parley.${key}`);
      else localStorage.setItem(`parley.${key}`, value);
    } catch {
      // The caller keeps the value in memory.
    }
  },
  keys(prefix: string): string[] {
    try {
      const keys = Object.keys(localStorage).filter((key) => key.startsWith(`parley.${prefix}`));
      return keys.map((key) => key.slice("parley.".length));
    } catch {
      return [];
    }
  },
};

const isLanguage = (name: string): name is Language => name in LANGUAGES;
const preferred = [stored.get("language") ?? "", ...navigator.languages].map((name) => name.slice(0, 2)).find(isLanguage);

export const language = signal<Language>(preferred ?? "en");
export const theme = signal<Theme>((stored.get("theme") as Theme | null) ?? "system");

effect(() => {
  document.documentElement.lang = language.value;
  document.documentElement.dataset.theme = theme.value;
});

export function setLanguage(name: Language): void {
  stored.set("language", name);
  language.value = name;
}

export function setTheme(name: Theme): void {
  stored.set("theme", name);
  theme.value = name;
}

/** Returns a text in the user's language; `{name}` stands for a value. */
export function say(key: keyof Words, values: Record<string, string | number> = {}): string {
  return CATALOGUES[language.value][key].replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ""));
}

/** The user's own region of the language, which decides how times look. */
function locale(): string {
  return navigator.languages.find((name) => name.slice(0, 2) === language.value) ?? language.value;
}

/** Says when, as short as it is clear. */
export function clock(time: string): string {
  return new Intl.DateTimeFormat(locale(), { hour: "2-digit", minute: "2-digit" }).format(new Date(time));
}

export function day(time: string): string {
  const date = new Date(time);
  const ago = Math.round((midnight(new Date()) - midnight(date)) / 86_400_000);
  if (ago === 0) return say("today");
  if (ago === 1) return say("yesterday");
  const year = date.getFullYear() === new Date().getFullYear() ? {} : { year: "numeric" as const };
  return new Intl.DateTimeFormat(locale(), { weekday: "long", day: "numeric", month: "long", ...year }).format(date);
}

export function brief(time: string): string {
  const date = new Date(time);
  if (midnight(date) === midnight(new Date())) return clock(time);
  return new Intl.DateTimeFormat(locale(), { day: "numeric", month: "short" }).format(date);
}

function midnight(date: Date): number {
  return new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
}
