// The two choices that a browser keeps: language, and light or dark.

import { el } from './dom.js';
import { keep, language, languages, speak, t } from './language.js';

const dark = () => document.documentElement.dataset.theme === 'dark'
  || (!document.documentElement.dataset.theme && matchMedia('(prefers-color-scheme: dark)').matches);

// themeSwitch turns the page dark or light. Until somebody has pressed it, the page follows the system.
export function themeSwitch() {
  const button = el('button', { type: 'button', class: 'plain small', 'data-action': 'theme', click: () => {
    const next = dark() ? 'light' : 'dark';
    document.documentElement.dataset.theme = next;
    localStorage.setItem('theme', next);
    button.setAttribute('aria-pressed', String(dark()));
  } }, t('theme.dark'));
  button.setAttribute('aria-pressed', String(dark()));
  return button;
}

// languageSwitch shows the page in another language by calling again, once its words are loaded.
export function languageSwitch(again, from) {
  const buttons = languages.map((code) => el('button', {
    type: 'button', class: `plain small${code === language() ? ' chosen' : ''}`, lang: code === 'zh' ? 'zh-CN' : 'en',
    'data-lang': code, 'aria-pressed': String(code === language()), click: async () => {
      await speak(code, from);
      keep(code);
      again();
      document.querySelector(`[data-lang="${code}"]`)?.focus();
    },
  }, code === 'zh' ? '中文' : 'English'));
  return el('span', { class: 'switches', role: 'group', 'aria-label': t('switch.language') }, buttons);
}
