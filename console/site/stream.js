// A live stream of Server-Sent Events that comes back by itself, and says how old its numbers are.

import { ask } from './api.js';

const staleAfter = 3500; // ms without an event of a stream that has one every second or two
const hiddenFor = 60_000; // a page that nobody sees gives its stream back after this time

// follow opens a stream and calls the handler of each event's name with its data. told is called each second, and at once when
// something changes, with {connected, age}: age is ms since the last event, null before the first. It returns the function that
// ends it.
export function follow(path, handlers, told) {
  let source = null;
  let last = null; // when the last event arrived
  let again = 0; // the timer of the next attempt
  let hiding = 0;
  let attempts = 0;
  let ended = false;

  const tell = () => {
    const age = last === null ? null : performance.now() - last;
    told({ connected: source !== null && source.readyState === EventSource.OPEN && age !== null && age < staleAfter, age });
  };

  function open() {
    clearTimeout(again);
    source = new EventSource(path);
    for (const [name, handle] of Object.entries(handlers)) {
      source.addEventListener(name, (event) => {
        last = performance.now();
        attempts = 0;
        handle(JSON.parse(event.data));
        tell();
      });
    }
    source.addEventListener('error', () => {
      tell();
      if (source && source.readyState === EventSource.CLOSED) retry(); // refused: the browser does not try again by itself
    });
  }

  // retry asks for the session first: where that has ended, the request for it signs the page out, and nothing is left to follow.
  async function retry() {
    close();
    attempts += 1;
    try {
      await ask('GET', '/admin/v1/session');
    } catch (fault) {
      if (fault.status === 401) return;
    }
    const wait = Math.min(15_000, 500 * 2 ** Math.min(attempts, 5)) * (0.75 + Math.random() / 2);
    if (!ended) again = setTimeout(open, wait);
  }

  function close() {
    clearTimeout(again);
    source?.close();
    source = null;
  }

  function seen() {
    clearTimeout(hiding);
    if (document.hidden) hiding = setTimeout(close, hiddenFor);
    else if (source === null && !ended) open();
  }

  const ticking = setInterval(tell, 1000);
  document.addEventListener('visibilitychange', seen);
  open();
  return () => {
    ended = true;
    clearInterval(ticking);
    clearTimeout(hiding);
    document.removeEventListener('visibilitychange', seen);
    close();
  };
}
