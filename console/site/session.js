// Signing in and out.

import { el, put } from './dom.js';
import { t } from './language.js';
import { ask, Problem } from './api.js';
import { languageSwitch, themeSwitch } from './switches.js';

const path = '/admin/v1/session';

// current returns the session that the browser's cookie opens, null where it opens none.
export async function current() {
  if (document.querySelector('meta[name="session"]').content === 'none') return null;
  try {
    return await ask('GET', path, { quiet: true });
  } catch (fault) {
    if (fault instanceof Problem) return null;
    throw fault;
  }
}

// signOut ends the session. A session that has ended already is no fault.
export async function signOut() {
  try {
    await ask('DELETE', path, { quiet: true });
  } catch (fault) {
    if (fault.status !== 401) throw fault;
  }
  document.querySelector('meta[name="session"]').content = 'none';
}

// signInPage asks for a token; entered gets the session. again draws the page in another language.
export function signInPage(entered, again) {
  const faults = el('div', { role: 'alert', id: 'sign-in-fault' },
    location.hash === '#/link-used' ? el('p', { class: 'notice warn' }, t('session.link_used')) : null);
  const token = el('input', {
    id: 'token', name: 'token', type: 'password', autocomplete: 'current-password', required: true, spellcheck: 'false',
    'aria-describedby': 'token-hint sign-in-fault',
  });
  const button = el('button', { type: 'submit', class: 'primary', 'data-action': 'sign-in' }, t('session.in'));
  const form = el('form', { class: 'sign-in', novalidate: true, submit: async (event) => {
    event.preventDefault();
    if (button.getAttribute('aria-disabled') === 'true') return;
    put(faults);
    if (!token.value.trim()) {
      put(faults, el('p', { class: 'notice bad' }, t('session.empty')));
      token.focus();
      return;
    }
    button.setAttribute('aria-disabled', 'true');
    try {
      entered(await ask('POST', path, { body: { token: token.value.trim() }, quiet: true }));
    } catch (fault) {
      const lines = !(fault instanceof Problem) ? [String(fault)] : fault.status === 401 ? [t('session.refused')] : fault.lines();
      put(faults, el('div', { class: 'notice bad' }, lines.map((line) => el('p', {}, line))));
      token.select();
    } finally {
      button.removeAttribute('aria-disabled');
    }
  } },
  el('h1', {}, t('session.title')),
  el('div', { class: 'field' }, el('label', { for: 'token' }, t('session.token')), token,
    el('p', { class: 'quiet', id: 'token-hint' }, t('session.hint'))),
  faults, button);
  return el('div', { class: 'sign-in-page' },
    el('header', { class: 'sign-in-top' }, el('span', { class: 'brand' },
      el('img', { src: '/console/icon.svg', alt: '', width: 22, height: 22 }), 'flashsale'), el('span', { class: 'switches' },
      themeSwitch(), languageSwitch(again))),
    el('main', {}, form));
}
