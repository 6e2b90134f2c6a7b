//go:build !race

package sim

// usual is how many sales run by default.
const usual = 20_000
