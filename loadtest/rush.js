// A rush: distinct buyers press Buy once each, at a rate that rises and then stays constant, whatever the answers' latency.
//
//   flashsale token --count 100000 --prefix load- > tokens.txt
//   k6 run -e TOKENS=tokens.txt -e SALE=demo -e RATE=2000 --out json=told.json loadtest/rush.js
//   flashsale load verdict demo --history told.json
//
// Parameters in addition to those of buyer.js:
//   RATE          presses a second after the rise, default 1000
//   RAMP          seconds of the rise, default 5
//   HOLD          seconds at that rate, default: until every token has pressed, and up to a second more
//   MAX_VUS       presses in flight at most, default 2000
//   P99_MS        99 of 100 answers must arrive within so many ms, default 500
//   MAX_DROPPED   presses that k6 may fail to start for lack of VUs, default 0
import exec from 'k6/execution';
import { buyerOf, number, press, start, tokens } from './buyer.js';

const rate = Math.max(1, number('RATE', 1000));
const ramp = number('RAMP', 5);
const hold = number('HOLD', Math.max(1, 1 + Math.ceil((tokens.length - (rate * ramp) / 2) / rate)));
const maxVUs = number('MAX_VUS', 2000);

export const options = {
  scenarios: {
    rush: {
      executor: 'ramping-arrival-rate',
      startRate: 0,
      timeUnit: '1s',
      preAllocatedVUs: Math.min(200, maxVUs),
      maxVUs,
      stages: [
        { target: rate, duration: `${ramp}s` },
        { target: rate, duration: `${hold}s` },
      ],
      gracefulStop: '15s',
    },
  },
  thresholds: {
    http_req_failed: ['rate<0.001'],
    'http_req_duration{name:purchase}': [`p(99)<${number('P99_MS', 500)}`],
    flashsale_contract_kept: ['rate==1'],
    dropped_iterations: [`count<=${number('MAX_DROPPED', 0)}`],
  },
  summaryTrendStats: ['min', 'med', 'p(90)', 'p(99)', 'p(99.9)', 'max'],
  discardResponseBodies: false, // the order ids are in them
};

export { start as setup };

export default function (run) {
  press(buyerOf(run, exec.scenario.iterationInTest), 1, '10s');
}
