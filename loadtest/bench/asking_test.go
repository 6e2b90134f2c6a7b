package bench

import (
	"fmt"
	"math/rand/v2"
)

// asking makes one press of a sale: it chooses what the press asks for. Token and key may be empty.
type asking func(host, saleID, token, key string) []byte

// one asks for one unit of always the same SKU.
func one(sku string) asking {
	return func(host, saleID, token, key string) []byte { return Purchase(host, saleID, sku, token, key) }
}

// anyOf asks for one unit of any of the SKUs that preloadMany makes.
func anyOf(skus int) asking {
	return func(host, saleID, token, key string) []byte {
		return Purchase(host, saleID, skuName(rand.IntN(skus)), token, key)
	}
}

// basket asks, by the sale's path, for one unit of each of several distinct SKUs of those that preloadMany makes.
func basket(lines, skus int) asking {
	return func(host, saleID, token, key string) []byte {
		chosen, first, step := make([]string, lines), rand.IntN(skus), 1+rand.IntN(skus/lines)
		for i := range chosen {
			chosen[i] = skuName((first + i*step) % skus)
		}
		return Basket(host, saleID, chosen, token, key)
	}
}

func skuName(n int) string { return fmt.Sprint("sku-", n) }
