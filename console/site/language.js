// The words of the page: one file for each language, loaded when the language is chosen, kept in the browser.

export const languages = ['en', 'zh'];

let chosen = 'en';
let words = {};

// language returns the language of the page, en or zh.
export const language = () => chosen;

// preferred returns the language that was chosen here before, else the browser's, else English.
export function preferred() {
  const kept = localStorage.getItem('lang');
  if (languages.includes(kept)) return kept;
  return (navigator.language || 'en').toLowerCase().startsWith('zh') ? 'zh' : 'en';
}

// speak loads the words of a language. from is the folder of the files.
export async function speak(code, from = '/console/locales/') {
  const answer = await fetch(`${from}${code}.json`);
  if (!answer.ok) throw new Error(`the words of ${code} could not be read: ${answer.status}`);
  words = await answer.json();
  chosen = code;
  document.documentElement.lang = code === 'zh' ? 'zh-CN' : 'en';
}

// keep remembers a choice in this browser.
export const keep = (code) => localStorage.setItem('lang', code);

// has reports whether there are words for a key.
export const has = (key) => Object.hasOwn(words, key);

// t returns the words of a key with its values filled in: t(KEY, {units: 5}). An unknown key is shown as it is.
export function t(key, values = {}) {
  return (has(key) ? words[key] : key).replace(/\{(\w+)\}/g, (all, name) => (name in values ? String(values[name]) : all));
}
