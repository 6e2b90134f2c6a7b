package sale

// PaidUnits is what was paid of one SKU of a sale.
type PaidUnits struct {
	SKU    string
	Units  int64
	Orders int64 // paid orders with a line of the SKU
	LastAt Time  // the last payment, by the database's clock
}
