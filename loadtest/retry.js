// Impatient apps: every buyer abandons slow answers and presses again under the same key, at another gateway when there is
// one, and repeats when the gateway asks for a retry. However often a buyer presses, one key makes one order.
//
//   k6 run -e TOKENS=tokens.txt -e SALE=demo -e TIMEOUT_MS=20 --out json=told.json loadtest/retry.js
//   flashsale load verdict demo --history told.json
//
// Parameters in addition to those of buyer.js:
//   RATE         buyers a second, default 500
//   DURATION     seconds, default: until every token has pressed
//   TIMEOUT_MS   timeout of an app's first attempts, default 50; the last one waits 10 s
//   ATTEMPTS     presses that an app makes by itself at most, default 6
//   AGAIN        further presses after an order was promised; they must return the same order, default 1
//   MAX_VUS      apps running at once, default 2000
import exec from 'k6/execution';
import { sleep } from 'k6';
import { Rate } from 'k6/metrics';
import { buyerOf, comesBack, number, press, start, tokens } from './buyer.js';

const rate = Math.max(1, number('RATE', 500));
const patience = `${Math.max(1, number('TIMEOUT_MS', 50))}ms`;
const attempts = Math.max(1, number('ATTEMPTS', 6));
const again = number('AGAIN', 1);
const maxVUs = number('MAX_VUS', 2000);
const maxRetryAfter = 60;

const sameOrder = new Rate('flashsale_same_order');
const decided = new Rate('flashsale_decided');

export const options = {
  scenarios: {
    retry: {
      executor: 'constant-arrival-rate',
      rate,
      timeUnit: '1s',
      duration: `${number('DURATION', Math.max(1, Math.ceil(tokens.length / rate)))}s`,
      preAllocatedVUs: Math.min(200, maxVUs),
      maxVUs,
      gracefulStop: '60s',
    },
  },
  thresholds: {
    flashsale_contract_kept: ['rate==1'],
    flashsale_same_order: ['rate==1'],
    flashsale_decided: ['rate>0.99'],
  },
  summaryTrendStats: ['min', 'med', 'p(90)', 'p(99)', 'p(99.9)', 'max'],
};

export { start as setup };

export default function (run) {
  const buyer = buyerOf(run, exec.scenario.iterationInTest);
  let attempt = 1;
  let told = press(buyer, attempt, attempts === 1 ? '10s' : patience);
  while (comesBack(told) && attempt < attempts) {
    sleep(told.retryAfter > 0 ? Math.min(told.retryAfter, maxRetryAfter) : 0.05 + Math.random() * 0.05);
    attempt += 1;
    told = press(buyer, attempt, attempt === attempts ? '10s' : patience);
  }
  decided.add(!comesBack(told));
  if (told.status !== 202 && told.status !== 200) {
    return;
  }
  for (let i = 0; i < again; i += 1) {
    attempt += 1;
    const repeated = press(buyer, attempt, '10s');
    if (!comesBack(repeated)) {
      sameOrder.add(repeated.status === 200 && repeated.orderID === told.orderID);
    }
  }
}
