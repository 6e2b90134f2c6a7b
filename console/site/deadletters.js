// Dead letters: records that could not settle, each decided by replaying or refusing it.

import { el, list, put, set, write } from './dom.js';
import { has, t } from './language.js';
import { count } from './format.js';
import { ask, Problem } from './api.js';
import { announce, openDialog } from './dialog.js';
import { may } from './roles.js';

const path = '/admin/v1/deadletters';
const verbs = ['replay', 'refuse'];

// lettersPage lists the dead letters with what can be decided about them.
export function lettersPage(frame) {
  frame.title(t('nav.deadletters'));
  const rows = el('tbody');
  const fault = el('div', { role: 'alert' });
  const empty = el('p', { class: 'quiet empty', role: 'status' });
  const more = el('button', { type: 'button', class: 'small', hidden: true, click: () => read(true) }, t('orders.more'));
  let found = [];
  let next = '';
  const draw = list(rows, (letter) => letter.id, (letter) => letterRow(letter, frame.session.role, () => read()), writeLetter);

  async function read(on = false) {
    put(fault);
    try {
      const answer = await ask('GET', on ? `${path}?cursor=${encodeURIComponent(next)}` : path);
      const letters = answer.deadletters || answer.dead_letters || [];
      found = on ? [...found, ...letters] : letters;
      next = answer.next || '';
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      put(fault, el('p', { class: 'notice bad' }, problem.lines().join(' ')));
    }
    draw(found);
    more.hidden = !next;
    write(empty, found.length ? '' : t('letters.none'));
  }

  put(frame.main, el('div', { class: 'head' }, el('h1', {}, t('nav.deadletters'))),
    el('p', { class: 'quiet lead' }, t('letters.lead')),
    fault, el('section', { class: 'panel' },
      el('div', { class: 'scroll', role: 'group', tabindex: '0', 'aria-label': t('nav.deadletters') },
        el('table', {}, el('thead', {}, el('tr', {}, ['id', 'state', 'reason', 'orders', 'detail'].map((key) =>
          el('th', { scope: 'col', class: key === 'orders' ? 'num' : '' }, t(`letters.${key}`))),
        el('th', { scope: 'col' }, el('span', { class: 'unseen' }, t('orders.change'))))), rows)), empty,
      el('div', { class: 'panel-foot' }, more)));
  read();
}

const ordersOf = (letter) => (Array.isArray(letter.orders) ? letter.orders : []);

function letterRow(letter, role, changed) {
  const parts = { state: el('td'), why: el('span', { class: 'why' }), role };
  parts.buttons = verbs.map((verb) => el('button', {
    type: 'button', class: 'small', 'data-action': verb, click: () => confirmDecision(verb, letter, changed),
  }, t(`action.${verb}`), el('span', { class: 'unseen' }, ` ${letter.id}`)));
  const row = el('tr', { 'data-letter': letter.id }, el('th', { scope: 'row', class: 'mono' }, letter.id), parts.state,
    el('td', {}, letter.reason), el('td', { class: 'num' }, count(ordersOf(letter).length)),
      el('td', { class: 'detail' }, letter.detail),
    el('td', {}, el('span', { class: 'switches' }, parts.buttons), parts.why));
  row.parts = parts;
  return row;
}

function writeLetter({ parts }, letter) {
  write(parts.state, has(`letter.${letter.state}`) ? t(`letter.${letter.state}`) : letter.state);
  const why = !may(parts.role, 'operator') ? t('why.role', { role: t('role.operator') })
    : letter.state !== 'waiting' ? t('letters.decided') : '';
  for (const button of parts.buttons) set(button, 'disabled', why !== '');
  write(parts.why, why);
}

function confirmDecision(verb, letter, changed) {
  const values = { id: letter.id, orders: count(ordersOf(letter).length) };
  openDialog({
    title: t(`confirm.${verb}.title`, values), confirmLabel: t(`action.${verb}`), danger: verb === 'refuse',
    content: [el('p', {}, t(`confirm.${verb}`, values)), el('p', { class: 'quiet' }, `${letter.reason}: ${letter.detail}`),
      el('p', { class: 'mono quiet' }, ordersOf(letter).map((order) => order.order_id || order).join(', '))],
    confirm: async () => {
      await ask('POST', `${path}/${encodeURIComponent(letter.id)}/${verb}`);
      announce(t(`done.${verb}`, values));
      changed();
    },
  });
}
