// The audit of a sale, on demand: does the stock equation hold for every SKU?

import { el, put } from './dom.js';
import { t } from './language.js';
import { clock, count } from './format.js';
import { ask, Problem, saleURL } from './api.js';

const most = 20; // SKUs that are named

// auditPanel returns the panel with the button and the last verdict.
export function auditPanel(id) {
  const verdict = el('div', { role: 'status', 'data-audit': 'none' }, el('p', { class: 'quiet' }, t('audit.none')));
  const button = el('button', { type: 'button', class: 'small', 'data-action': 'audit', click: run }, t('audit.now'));
  let running = false;

  async function run() {
    if (running) return;
    running = true;
    button.setAttribute('aria-disabled', 'true');
    try {
      show(await ask('GET', saleURL(id, '/audit')));
    } catch (fault) {
      if (!(fault instanceof Problem)) throw fault;
      verdict.dataset.audit = 'unknown';
      put(verdict, el('div', { class: 'notice warn' }, [t('audit.unread'), ...fault.lines()].map((line) => el('p', {}, line))));
    } finally {
      running = false;
      button.removeAttribute('aria-disabled');
    }
  }

  function show(audit) {
    const at = clock(new Date());
    verdict.dataset.audit = audit.holds ? 'holds' : 'breaks';
    if (audit.holds) {
      put(verdict, el('p', { class: 'notice good' }, t('audit.holds', { skus: count(audit.items.length), at })));
      return;
    }
    const wrong = audit.items.filter((item) => item.difference !== 0);
    put(verdict, el('div', { class: 'notice bad' }, el('p', {}, t('audit.breaks', { skus: count(wrong.length), at })),
      el('ul', { class: 'bullets' }, wrong.slice(0, most).map((item) => el('li', {},
        t(item.difference > 0 ? 'audit.missing' : 'audit.surplus',
          { sku: item.sku, units: count(Math.abs(item.difference)) }))))));
  }

  return el('section', { class: 'panel', 'aria-labelledby': 'audit-title' },
    el('div', { class: 'panel-head' }, el('h2', { id: 'audit-title' }, t('audit.title')), button),
    el('div', { class: 'panel-body' }, verdict, el('p', { class: 'quiet equation' }, t('audit.equation'))));
}
