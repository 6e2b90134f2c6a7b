//go:build race

package sim

// usual is how many sales run unless the command says otherwise: the race detector makes each twenty times as long.
const usual = 100
