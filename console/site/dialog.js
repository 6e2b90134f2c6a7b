// One dialog at a time, on the browser's own element: it keeps the focus inside, Esc closes it, and the focus returns.

import { el, put } from './dom.js';
import { t } from './language.js';
import { Problem } from './api.js';

// Unfit is what an operator has to hear before the dialog goes on: an input that does not fit, a step that is impossible by now.
export class Unfit extends Error {}

let serial = 0;

// openDialog shows a dialog. content are its elements above the buttons. confirm is called when its button is pressed or its form
// is sent; while its promise runs, the button waits; the dialog closes when it returns anything but false, and shows the fault
// when it throws. It returns {close, say, fail, content, button}.
export function openDialog({ title, content, confirmLabel, danger = false, confirm, closed = () => {} }) {
  const before = document.activeElement;
  const id = `dialog-${serial += 1}`;
  const faults = el('div', { role: 'alert' });
  const news = el('div', { role: 'status' });
  const body = el('div', { class: 'dialog-body', id: `${id}-body` }, content);
  const button = el('button', {
    type: 'submit', class: `primary${danger ? ' danger' : ''}`, 'data-action': 'confirm',
  }, confirmLabel);
  const form = el('form', { method: 'dialog', submit: send, novalidate: true },
    el('h2', { id, class: 'dialog-title' }, title), body, news, faults,
    el('div', { class: 'dialog-buttons' },
      el('button', { type: 'button', 'data-action': 'cancel', click: () => dialog.close() }, t('dialog.cancel')), button));
  const dialog = el('dialog', { 'aria-labelledby': id, 'aria-describedby': `${id}-body` }, form);
  const handle = { close: () => dialog.close(), say, fail, content: body, button, dialog };
  let running = false;

  async function send(event) {
    event.preventDefault();
    if (running) return;
    running = true;
    button.setAttribute('aria-disabled', 'true');
    put(faults);
    try {
      if (await confirm(handle) !== false) dialog.close();
    } catch (fault) {
      fail(fault);
    } finally {
      running = false;
      button.removeAttribute('aria-disabled');
    }
  }

  function say(...children) { put(news, el('div', { class: 'notice warn' }, children)); }

  function fail(fault) {
    if (!(fault instanceof Problem || fault instanceof Unfit)) console.error(fault);
    const lines = fault instanceof Problem ? fault.lines() : [String(fault.message || fault)];
    put(faults, el('div', { class: 'notice bad' }, lines.map((line) => el('p', {}, line))));
  }

  dialog.addEventListener('close', () => {
    dialog.remove();
    backTo(before);
    closed();
  });
  document.body.append(dialog);
  dialog.showModal();
  (body.querySelector('input, select, textarea') || button).focus();
  return handle;
}

// backTo returns the focus to what had it. A button that cannot be pressed any more gives it to the next one beside it.
function backTo(before) {
  const usable = (node) => node instanceof HTMLElement && node.isConnected && !node.disabled;
  const beside = before?.closest?.('section')?.querySelector('button:not(:disabled)');
  [before, beside, document.getElementById('main')].find(usable)?.focus();
}

let live = null;
const mostToasts = 2;

// announce tells a screen reader, and shows for a while, what has happened.
export function announce(text, kind = 'good') {
  if (!live) {
    live = el('div', { class: 'toasts', role: 'status', 'aria-live': 'polite' });
    document.body.append(live);
  }
  const toast = el('div', { class: `toast notice ${kind}` }, text);
  live.append(toast);
  while (live.children.length > mostToasts) live.firstElementChild.remove();
  setTimeout(() => toast.remove(), 7000);
}
