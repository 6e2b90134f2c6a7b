//go:build !race

package sim

// usual is how many sales run unless the command says otherwise.
const usual = 20_000
