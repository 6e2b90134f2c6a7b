// Package browser drives pages in a real Chromium, as a person would: it looks for what a page shows, clicks, types, and takes
// screenshots. Each Page also watches what no person sees: messages of the browser's console, requests to other origins, and the
// accessibility rules of axe-core, which npm brings at test time in the version that package-lock.json pins.
//
// A wait looks again and again at the page, within a bound; none waits for time.
package browser
