// Confirmations of what an operator does to a sale. Each names the sale and says what will happen. The sale is read again before
// the dialog is shown and before anything is sent: where another operator was faster, the dialog says what was done, and asks
// again.

import { el, put } from './dom.js';
import { t } from './language.js';
import { against, changed, consequences, dangerous, move, read } from './actions.js';
import { announce, openDialog, Unfit } from './dialog.js';
import { Problem } from './api.js';
import { changeStock, pendingChange, forgetChange } from './stockchange.js';
import { entriesSince, whatWasDone } from './trail.js';
import { clock, count } from './format.js';

// nameOf names a sale so that two sales of one name are told apart.
const nameOf = (sale) => (sale.name && sale.name !== sale.id ? t('sale.named', { name: sale.name, id: sale.id }) : sale.id);

// whatChanged says who did what to the sale since a moment: by the trail, and by the states where the trail cannot be read.
async function whatChanged(before, now) {
  const from = { before: t(`state.${before.sale.state}`), now: t(`state.${now.sale.state}`) };
  const said = [el('p', {}, el('b', {}, t('confirm.changed')))];
  try {
    const entries = await entriesSince(before.sale.id, before.at);
    said.push(el('ul', { class: 'bullets' }, entries.map((entry) => el('li', {}, `${clock(entry.at)} ${whatWasDone(entry)}`))));
  } catch (fault) {
    if (!(fault instanceof Problem)) throw fault;
  }
  if (before.sale.state !== now.sale.state) said.push(el('p', {}, t('confirm.was_is', from)));
  said.push(el('p', {}, t('confirm.again')));
  return said;
}

// guarded opens a dialog about a sale. shown is the answer that the page showed when its button was pressed. describe(live) are
// the sentences for a state of the sale, act(live, dialog) sends the request.
async function guarded({ verb, shown, sku, role, title, describe, extra = [], act }) {
  let agreed = shown;
  let fresh;
  try {
    fresh = await read(shown.sale.id, sku);
  } catch (fault) {
    if (!(fault instanceof Problem)) throw fault;
    announce(fault.lines().join(' '), 'bad');
    return;
  }
  const words = el('div', { class: 'words' });
  const redraw = (live) => put(words, describe(live).map((sentence) => el('p', {}, sentence)));

  // moved takes a newer state over; it reports whether that differs from what the operator was shown.
  async function moved(live, dialog) {
    const before = agreed;
    agreed = live;
    if (!changed(before, live)) return false;
    dialog.say(await whatChanged(before, live));
    redraw(live);
    return true;
  }

  redraw(fresh);
  const dialog = openDialog({
    title, content: [words, ...extra], confirmLabel: t(`action.${verb}`), danger: dangerous(verb),
    confirm: async (handle) => {
      const live = await read(shown.sale.id, sku);
      if (await moved(live, handle)) return false;
      const reason = against(verb, live.sale, role);
      if (reason) throw new Unfit(reason);
      return act(live, handle);
    },
  });
  await moved(fresh, dialog);
}

// confirmMove asks before a step of a sale, and takes it. done is called after it.
export function confirmMove(verb, shown, role, done) {
  const bar = el('progress', { max: 1, value: 0, 'aria-label': t('confirm.progress') });
  const line = el('div', { class: 'progress', hidden: true }, bar, el('span', { class: 'quiet' }, t('confirm.progress')));
  return guarded({
    verb, shown, role, title: t(`confirm.${verb}.title`, { sale: nameOf(shown.sale) }), extra: [line],
    describe: (live) => consequences(verb, live),
    act: async () => {
      line.hidden = verb !== 'preload';
      try {
        await move(verb, shown.sale.id, (part) => { bar.value = part; });
      } finally {
        line.hidden = true;
      }
      announce(t(`done.${verb}`, { sale: nameOf(shown.sale) }));
      done();
    },
  });
}

// confirmStock asks how many units of a SKU to add or take back, and does it once: a change that got no answer keeps its key,
// and is repeated before another one can be made.
export function confirmStock(shown, row, role, done) {
  const { id } = shown.sale;
  const input = el('input', { type: 'number', name: 'add', id: 'stock-add', step: 1, required: true, inputmode: 'numeric',
    'aria-describedby': 'stock-hint' });
  const pending = el('div', { class: 'notice warn', hidden: true });
  const drawPending = () => {
    const kept = pendingChange(id, row.sku);
    pending.hidden = !kept;
    input.readOnly = Boolean(kept);
    if (!kept) return;
    input.value = kept.add;
    put(pending, el('p', {}, t('stock.pending', { units: count(kept.add), at: clock(kept.at) })),
      el('button', { type: 'button', class: 'small', click: () => { forgetChange(id, row.sku); drawPending(); input.focus(); } },
        t('stock.forget')));
  };
  drawPending();
  return guarded({
    verb: 'stock', shown, sku: row.sku, role,
    title: t('confirm.stock.title', { sku: row.sku, sale: nameOf(shown.sale) }),
    describe: (live) => [t('confirm.stock', { sku: row.sku, loaded: count(live.row?.loaded),
      available: count(live.row?.available) })],
    extra: [el('div', { class: 'field' }, el('label', { for: 'stock-add' }, t('stock.units')), input,
      el('p', { class: 'quiet', id: 'stock-hint' }, t('stock.hint'))), pending],
    act: async () => {
      const add = Number(input.value);
      if (!Number.isSafeInteger(add) || add === 0) {
        input.focus();
        throw new Unfit(t('stock.invalid'));
      }
      try {
        const answer = await changeStock(id, row.sku, add);
        const { sku, added, loaded } = answer;
        announce(t(added > 0 ? 'done.stock' : 'done.taken', { sku, added: count(added), units: count(-added),
          loaded: count(loaded) }));
        done();
      } finally {
        drawPending();
      }
    },
  });
}
