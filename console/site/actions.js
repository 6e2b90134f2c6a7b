// What an operator can do to a sale: when it is possible, what it will do in words, and the request that does it.

import { t } from './language.js';
import { count, duration, moment } from './format.js';
import { ask, events, Problem, saleURL } from './api.js';
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
  freeze: ['draft', 'preloaded', 'open', 'paused', 'closed'],
  thaw: ['draft', 'preloaded', 'open', 'paused', 'closed'],
};

export const dangerous = (verb) => ['pause', 'close'].includes(verb);

// against says why a verb is impossible for a sale as the live answer shows it, or for the role; '' when it is possible.
export function against(verb, sale, role) {
  if (!may(role, 'operator')) return t('why.role', { role: t('role.operator') });
  if (verb === 'freeze' && sale.holds_frozen_since) return t('why.frozen');
  if (verb === 'thaw' && !sale.holds_frozen_since) return t('why.not_frozen');
  if (from[verb].includes(sale.state)) return '';
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

// read returns the sale as it is now, without the rows of its SKUs but that of one.
export async function read(id, sku) {
  const live = await ask('GET', saleURL(id, `/live?limit=${sku ? 200 : 1}${sku ? `&q=${encodeURIComponent(sku)}` : ''}`));
  return { ...live, row: sku ? live.items.rows.find((row) => row.sku === sku) : undefined };
}

// mark is equal for two answers between which nobody has changed the sale.
export function mark(live, row = live.row) {
  const { state, starts_at: starts, ends_at: ends, holds_frozen_since: frozen } = live.sale;
  return JSON.stringify([state, starts, ends, frozen || null, row ? row.loaded : null]);
}
