// What an operator can do to a sale: when it is possible, what it will do in words, and the request that does it.

import { t } from './language.js';
import { count, duration, moment } from './format.js';
import { ask, events, Problem, query, saleURL } from './api.js';
import { may } from './roles.js';
import { Unfit } from './dialog.js';

// verbs of the bar of buttons, in the order in which a sale needs them.
export const verbs = ['preload', 'open', 'pause', 'resume', 'close', 'freeze', 'thaw'];

const from = {
  preload: ['draft', 'preloaded', 'open', 'paused'],
  open: ['preloaded'],
  pause: ['open'],
  resume: ['paused'],
  close: ['preloaded', 'open', 'paused'],
  stock: ['preloaded', 'open', 'paused'],
  freeze: ['preloaded', 'open', 'paused', 'closed'],
  thaw: ['preloaded', 'open', 'paused', 'closed'],
};

export const dangerous = (verb) => ['pause', 'close'].includes(verb);

// against says why a verb is impossible for a sale as the live answer shows it, or for the role; '' when it is possible.
export function against(verb, sale, role) {
  if (!may(role, 'operator')) return t('why.role', { role: t('role.operator') });
  if (verb === 'freeze' && sale.holds_frozen_since) return t('why.frozen');
  if (verb === 'thaw' && !sale.holds_frozen_since) return t('why.not_frozen');
  if (from[verb].includes(sale.state)) return '';
  if (verb === 'freeze' && sale.state === 'draft') return t('why.no_orders');
  if (verb === 'open' && sale.state === 'open') return t('why.is_open');
  if (verb === 'open' && sale.state === 'paused') return t('why.use_resume');
  if (verb === 'pause' && sale.state === 'paused') return t('why.is_paused');
  if (verb === 'resume' && sale.state !== 'closed' && sale.state !== 'archived') return t('why.not_paused');
  return t(`why.${sale.state}`);
}

// consequences are the sentences of a confirmation: what will happen to the sale of a live answer.
export function consequences(verb, live) {
  const { sale, total, items } = live;
  const values = {
    sale: sale.name || sale.id, id: sale.id, loaded: count(total.loaded), available: count(total.available),
    unpaid: count(total.unpaid), flight: count(total.in_flight), skus: count(items.total), starts: moment(sale.starts_at),
    ends: moment(sale.ends_at), since: moment(sale.holds_frozen_since),
    frozen: duration(sale.holds_frozen_since ? (Date.parse(live.at) - Date.parse(sale.holds_frozen_since)) / 1000 : 0),
  };
  const before = Date.parse(sale.starts_at) > Date.parse(live.at);
  const after = Date.parse(sale.ends_at) <= Date.parse(live.at);
  const timed = after ? 'ended' : before ? 'upcoming' : 'now';
  const sentences = [t(`confirm.${verb}`, values)];
  if (verb === 'open' || verb === 'resume') sentences.push(t(`confirm.sells.${timed}`, values));
  if (verb === 'close' && sale.payment_ttl_s > 0) sentences.push(t('confirm.close.unpaid', values));
  if (verb === 'preload' && sale.state !== 'draft') sentences.push(t('confirm.preload.again', values));
  return sentences;
}

// move makes a step of a sale; progress is told how far a preload is, from 0 to 1.
export async function move(verb, id, progress) {
  if (verb === 'freeze' || verb === 'thaw') return ask('POST', saleURL(id, `/holds/${verb}`));
  if (verb !== 'preload') return ask('POST', saleURL(id, `/${verb}`));
  return preload(id, progress);
}

// preload follows the events of a preload. A stream that ends without a result leaves it unknown, and a repeat is safe.
async function preload(id, progress) {
  let result = null;
  let problem = null;
  await events('POST', saleURL(id, '/preload'), (event, data) => {
    if (event === 'progress') progress(data.total ? data.done / data.total : 1);
    if (event === 'sale' || event === 'answer') result = data;
    if (event === 'problem') problem = data;
  });
  if (problem) throw new Problem(problem.status, problem);
  if (!result) throw new Unfit(t('confirm.preload.lost'));
  return result;
}

// read returns the live answer with the sale as the database has it at this moment: all who watch share live answers, which may
// be a second old. With a SKU it has that SKU's numbers as row and its defined stock as stock.
export async function read(id, sku) {
  const [live, sale] = await Promise.all([
    ask('GET', saleURL(id, `/live${query({ limit: sku ? 200 : 1, q: sku })}`)), ask('GET', saleURL(id))]);
  const { state, starts_at, ends_at, holds_frozen_since = null } = sale;
  return {
    ...live, sale: { ...live.sale, state, starts_at, ends_at, holds_frozen_since },
    row: live.items.rows.find((row) => row.sku === sku), stock: sale.items.find((item) => item.sku === sku)?.stock,
  };
}

// changed reports whether somebody has changed the sale between two answers. Stock counts where both know it.
export function changed(before, now) {
  const mark = ({ sale }) => JSON.stringify([sale.state, sale.starts_at, sale.ends_at, sale.holds_frozen_since || null]);
  return mark(before) !== mark(now) || (before.stock !== undefined && before.stock !== now.stock);
}
