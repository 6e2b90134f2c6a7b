//go:build race

package sim

// usual is how many sales run by default: with the race detector each takes twenty times as long.
const usual = 100
