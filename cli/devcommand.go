package cli

// Dev runs everything in one process on embedded engines.
type Dev struct {
	DataDir *string `name:"data-dir" help:"Where orders, queue and secrets are kept, for its owner only. Default: a temporary folder, removed at the end."`
	Demo    bool    `help:"Send a crowd of buyers and print a line a second."`
}
