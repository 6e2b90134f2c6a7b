// Gateways, settle processes and stores, each with its state.

import { el, list, set, write } from './dom.js';
import { t } from './language.js';
import { duration } from './format.js';

const silentAfter = 5000; // ms without a sign of a process that gives one every second

// machines returns a panel and the function that brings it up to date with the processes and stores of a live answer.
export function machines() {
  const processes = el('ul', { class: 'machines' });
  const stores = el('ul', { class: 'machines' });
  const none = el('p', { class: 'quiet', hidden: true }, t('machines.none'));
  const drawProcesses = list(processes, (one) => one.name, machineRow, writeProcess);
  const drawStores = list(stores, (one) => one.store, machineRow, writeStore);
  const node = el('section', { class: 'panel', 'aria-labelledby': 'machines-title' },
    el('h2', { id: 'machines-title', class: 'panel-title' }, t('machines.title')),
    el('div', { class: 'machine-lists' }, el('div', {}, stores), el('div', {}, processes, none)));
  return {
    node,
    update(running, reached) {
      drawProcesses([...running].sort((a, b) => a.role.localeCompare(b.role) || a.name.localeCompare(b.name)));
      drawStores(reached);
      none.hidden = running.length > 0;
    },
  };
}

function machineRow(one) {
  const parts = { badge: el('span'), name: el('b'), detail: el('span', { class: 'quiet detail' }) };
  const row = el('li', one.store ? { 'data-store': one.store } : { 'data-process': one.name },
    parts.badge, parts.name, parts.detail);
  row.parts = parts;
  return row;
}

function writeProcess({ parts }, one) {
  const silent = one.seen_ms_ago > silentAfter;
  const waiting = Object.entries(one.waiting || {}).map(([check, reason]) => `${check}: ${reason}`).join('; ');
  const [kind, state] = silent ? ['bad', t('machines.silent', { age: duration(one.seen_ms_ago / 1000) })]
    : one.ready ? ['good', t('machines.ready')] : ['warn', t('machines.waiting')];
  set(parts.badge, 'class', `badge ${kind}`);
  write(parts.badge, state);
  write(parts.name, `${t(`machines.${one.role}`)} ${one.name}`);
  write(parts.detail, waiting || one.version || '');
}

function writeStore({ parts }, one) {
  set(parts.badge, 'class', `badge ${one.up ? 'good' : 'bad'}`);
  write(parts.badge, t(one.up ? 'machines.up' : 'machines.down'));
  write(parts.name, { redis: 'Redis', kafka: 'Kafka', mysql: t('machines.database') }[one.store] || one.store);
  write(parts.detail, one.detail || '');
}
