package cli

// Dev runs everything in one process on embedded engines.
type Dev struct {
	DataDir *string `name:"data-dir" help:"Private folder for orders, queue and secrets. Default: temporary, removed at the end."`
	Demo    bool    `help:"Send demo buyers and print a line per second."`
}
