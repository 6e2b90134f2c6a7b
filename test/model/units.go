package protocol

import "fmt"

// units is a number of units of each SKU.
type units [skus]int8

func (u units) plus(v units) units  { return units{u[0] + v[0], u[1] + v[1]} }
func (u units) minus(v units) units { return units{u[0] - v[0], u[1] - v[1]} }
func (u units) least(v units) units { return units{min(u[0], v[0]), min(u[1], v[1])} }
func (u units) covers(v units) bool { return u[0] >= v[0] && u[1] >= v[1] }
func (u units) all() int            { return int(u[0]) + int(u[1]) }

// only is the units of some SKUs, of those whose bits are set.
func (u units) only(which uint8) units {
	for sku := range u {
		if which&(1<<sku) == 0 {
			u[sku] = 0
		}
	}
	return u
}

// of is a number of units of one SKU.
func of(sku int, count int8) (u units) {
	u[sku] = count
	return u
}

// packed is units of 0 to 15 of each SKU in one byte.
func (u units) packed() uint8 { return uint8(u[0]) | uint8(u[1])<<4 }

func unpacked(b uint8) units { return units{int8(b & 15), int8(b >> 4)} }

// String is the units of the first SKU, and those of the second if there are any.
func (u units) String() string {
	if u[1] == 0 {
		return fmt.Sprint(u[0])
	}
	return fmt.Sprintf("%d&%d", u[0], u[1])
}
