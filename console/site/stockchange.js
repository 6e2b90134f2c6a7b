// Changes of stock, each once. A change keeps its Idempotency-Key in the browser until it is answered, so that a repeat after a
// lost answer, also from a page that was loaded again, changes nothing twice.

import { ask, Problem, saleURL } from './api.js';

const keyOf = (sale, sku) => `stock ${sale} ${sku}`;

// pendingChange returns the change of a SKU that was sent and not answered, as {key, add, at}, or null.
export function pendingChange(sale, sku) {
  const kept = localStorage.getItem(keyOf(sale, sku));
  return kept ? JSON.parse(kept) : null;
}

// forgetChange gives up a change that was not answered. It may have happened.
export const forgetChange = (sale, sku) => localStorage.removeItem(keyOf(sale, sku));

// changeStock adds units, or takes back with a negative number, and returns the answer {sku, added, loaded}.
export async function changeStock(sale, sku, add) {
  const change = pendingChange(sale, sku) || { key: randomKey(), add, at: new Date().toISOString() };
  localStorage.setItem(keyOf(sale, sku), JSON.stringify(change));
  try {
    const answer = await ask('POST', saleURL(sale, `/items/${encodeURIComponent(sku)}/stock`),
      { body: { add: change.add }, headers: { 'Idempotency-Key': change.key } });
    forgetChange(sale, sku);
    return answer;
  } catch (fault) {
    if (fault instanceof Problem && decided(fault.status)) forgetChange(sale, sku);
    throw fault;
  }
}

// decided reports whether an answer says for sure that nothing was changed: a refusal, but not one that may be repeated.
const decided = (status) => status >= 400 && status < 500 && status !== 408 && status !== 429;

// randomKey does not use crypto.randomUUID, which a page without TLS does not have.
function randomKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `console-${[...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}
