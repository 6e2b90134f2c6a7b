package sale

// Limits of what buyers and operators write.
const (
	MaxIDBytes     = 64  // sale id, SKU, buyer id
	MaxKeyBytes    = 128 // idempotency key
	MaxQuantity    = 100 // units in one purchase
	MaxBuckets     = 64  // buckets of one SKU
	MaxItems       = 10_000
	MaxSaleBuckets = 65_536 // of all items of a sale: each takes a row, three keys, and memory in every process
	MaxStock       = 10_000_000
	MaxPriceCents  = 1_000_000_000_000
	MaxLimit       = 100 // per_buyer_limit
)

// Text is the input of the validators: bytes on the hot path, strings elsewhere.
type Text interface{ ~string | ~[]byte }

// ValidID reports whether id is a sale id or SKU: [a-z0-9][a-z0-9_-]{0,63}.
func ValidID[T Text](id T) bool {
	if len(id) == 0 || len(id) > MaxIDBytes || id[0] == '_' || id[0] == '-' {
		return false
	}
	for i := 0; i < len(id); i++ {
		if c := id[i]; !lowerOrDigit(c) && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

// ValidBuyerID reports whether id is a buyer id: 1–64 characters of A-Za-z0-9._:@|+-.
func ValidBuyerID[T Text](id T) bool {
	if len(id) == 0 || len(id) > MaxIDBytes {
		return false
	}
	for i := 0; i < len(id); i++ {
		if !buyerByte[id[i]] {
			return false
		}
	}
	return true
}

// ValidKey reports whether key is an idempotency key without its quotes: 1–128 characters of printable ASCII, neither
// `"` nor `\`, and no space at the end. The database pads keys with spaces before it compares them: to it, a key that ends
// in a space equals the key without that space, and a blank key equals no key.
func ValidKey[T Text](key T) bool { return quotable(key) && key[len(key)-1] != ' ' }

// quotable reports whether a record can contain the key. The buyers hash in Redis separates its entries with `"`, so a key
// without it stays inside its entry.
func quotable[T Text](key T) bool {
	if len(key) == 0 || len(key) > MaxKeyBytes {
		return false
	}
	for i := 0; i < len(key); i++ {
		if c := key[i]; c < 0x20 || c > 0x7e || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

var buyerByte = func() (set [256]bool) {
	for c := range set {
		b := byte(c)
		set[c] = lowerOrDigit(b) || (b >= 'A' && b <= 'Z')
	}
	for _, c := range []byte("._:@|+-") {
		set[c] = true
	}
	return set
}()

func lowerOrDigit(c byte) bool { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') }
