// One buyer for k6, shared by rush.js and retry.js. Both need only k6 itself.
//
// Parameters, as k6 run -e NAME=VALUE:
//   TOKENS  file of tokens, one per line, one buyer each: flashsale token --count 100000 --prefix load- > FILE. Required.
//   URLS    base URLs of gateways, comma-separated, default http://127.0.0.1:8080
//   SALE    sale id, default demo
//   SKUS    SKUs, comma-separated, default phone
//   NONCE   first part of every idempotency key, default the start time, so that a second run makes new presses
//
// k6 run --out json=FILE writes the history that flashsale load verdict reads: each answer is one sample of the counter
// flashsale_told. The buyer is in the sample's metadata, not in its tags, because every new tag value would create a
// time series.
import http from 'k6/http';
import encoding from 'k6/encoding';
import exec from 'k6/execution';
import { SharedArray } from 'k6/data';
import { Counter, Rate } from 'k6/metrics';

export const tokens = new SharedArray('tokens', () => {
  if (!__ENV.TOKENS) {
    throw new Error('TOKENS must name a file of tokens: flashsale token --count 100000 --prefix load- > FILE');
  }
  return open(__ENV.TOKENS).split('\n').map((line) => line.trim()).filter((line) => line !== '');
});

const urls = list(__ENV.URLS, 'http://127.0.0.1:8080').map((url) => url.replace(/\/+$/, ''));
const skus = list(__ENV.SKUS, 'phone');
const sale = __ENV.SALE || 'demo';

// Every answer of the contract to a well-formed press. Any other answer counts as a failed request.
http.setResponseCallback(http.expectedStatuses(200, 202, 403, 409, 410, 422, 429, 503, 504));

const toldCounter = new Counter('flashsale_told');
export const taken = new Counter('flashsale_taken');
export const contractKept = new Rate('flashsale_contract_kept');

function list(value, standard) {
  return (value || standard).split(',').map((item) => item.trim()).filter((item) => item !== '');
}

// number reads a numeric parameter.
export function number(name, standard) {
  if (__ENV[name] === undefined) {
    return standard;
  }
  const value = Number(__ENV[name]);
  if (!(value >= 0)) {
    throw new Error(`${name} must be a number of 0 or more, not ${__ENV[name]}`);
  }
  return value;
}

// start runs once, in setup: its result is the same for every VU.
export function start() {
  return { nonce: __ENV.NONCE || `k6-${Date.now().toString(36)}` };
}

// buyerOf is the press of iteration i: more iterations than tokens press again under the same keys.
export function buyerOf(run, i) {
  const member = i % tokens.length;
  const token = tokens[member];
  const claims = JSON.parse(encoding.b64decode(token.split('.')[1], 'rawurl', 's'));
  return { token, buyer: claims.sub, sku: skus[member % skus.length], key: `${run.nonce}-${member}`, home: member % urls.length };
}

// press sends one attempt and returns the answer.
export function press(buyer, attempt, timeout) {
  const url = urls[(buyer.home + attempt - 1) % urls.length];
  const response = http.post(`${url}/v1/sales/${sale}/items/${buyer.sku}/orders`, null, {
    headers: { Authorization: `Bearer ${buyer.token}`, 'Idempotency-Key': `"${buyer.key}"` },
    tags: { name: 'purchase' },
    timeout,
  });
  const told = read(response);
  contractKept.add(told.kept);
  if (told.status === 202) {
    taken.add(1);
  }
  report(buyer, attempt, told);
  return told;
}

// read turns a response into its meaning by the contract.
function read(response) {
  const told = { status: response.status, code: 'unreadable', orderID: '', orderStatus: '', retryAfter: 0, kept: false };
  if (response.status === 0) {
    // 1101–1119 name look-up, 1210–1213 dialing: the request was not sent. After any other error the outcome is unknown.
    const neverSent = (response.error_code >= 1100 && response.error_code < 1120) ||
      (response.error_code >= 1210 && response.error_code <= 1213);
    told.code = neverSent ? 'not_sent' : 'no_answer';
    told.kept = true; // a failure of the connection, which the verdict allows
    return told;
  }
  told.retryAfter = Number(response.headers['Retry-After'] || 0);
  let body;
  try {
    body = response.json();
  } catch (_) {
    return told;
  }
  told.orderID = body.order_id || '';
  if (response.status === 202 || response.status === 200) {
    told.orderStatus = body.status;
    told.code = response.status === 202 ? body.status : 'replayed';
    told.kept = told.orderID !== '' && (response.status === 200 || body.status === 'queued' || body.status === 'held');
    return told;
  }
  told.code = body.code || 'unreadable';
  told.kept = body.status === response.status && body.type === `/problems/${body.code}`;
  return told;
}

// report adds the sample that the verdict reads.
function report(buyer, attempt, told) {
  const metadata = exec.vu.metrics.metadata;
  const members = {
    buyer: buyer.buyer, sale, sku: buyer.sku, key: buyer.key, quantity: '1', attempt: String(attempt),
    status: String(told.status), code: told.code, order_id: told.orderID, order_status: told.orderStatus,
  };
  Object.assign(metadata, members);
  toldCounter.add(1, { code: told.code });
  Object.keys(members).forEach((name) => delete metadata[name]);
}

// comesBack reports whether an app presses again by itself: after an unknown outcome, and when the gateway asks for a retry.
export function comesBack(told) {
  return ['no_answer', 'not_sent', 'unreadable', 'unknown', 'not_started'].includes(told.code) ||
    told.status === 429 || told.status === 503;
}
