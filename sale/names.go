package sale

// Limits of what buyers and operators write.
const (
	MaxIDBytes      = 64  // sale id, SKU, buyer id
	MaxKeyBytes     = 128 // idempotency key
	MaxQuantity     = 100 // units in one line of a purchase
	MaxLines        = 20  // lines of one purchase
	MaxBuckets      = 64  // buckets of a sale
	MaxItems        = 10_000
	MaxShelves      = 65_536 // items of a sale times its buckets: each takes a row and a field in Redis
	MaxStock        = 10_000_000
	MaxPriceCents   = 1_000_000_000_000
	MaxLimit        = 100   // per_buyer_limit
	MaxSaleLimit    = 1_000 // per_buyer_sale_limit
	MaxBuyerOrders  = 1_000 // orders of a buyer in a sale that Redis keeps; more are refused like a limit for the sale
	MaxTransferSKUs = 1_000 // SKUs of one transfer
)

// Text is the input of the validators: bytes on the hot path, strings elsewhere.
type Text interface{ ~string | ~[]byte }

// FormOfID is the pattern of sale ids and SKUs. Case counts.
const FormOfID = "[A-Za-z0-9][A-Za-z0-9._-]{0,63}"

// ValidID reports whether id is a sale id or SKU: it matches FormOfID.
func ValidID[T Text](id T) bool {
	if len(id) == 0 || len(id) > MaxIDBytes || !letterOrDigit(id[0]) {
		return false
	}
	for i := 1; i < len(id); i++ {
		if c := id[i]; !letterOrDigit(c) && c != '_' && c != '-' && c != '.' {
			return false
		}
	}
	return true
}

// MaxRequestIDBytes bounds the id of a request.
const MaxRequestIDBytes = 64

// ValidRequestID reports whether id is the id of a request: 1–64 characters of A-Za-z0-9._-, which every log and header takes
// unchanged.
func ValidRequestID[T Text](id T) bool {
	if len(id) == 0 || len(id) > MaxRequestIDBytes {
		return false
	}
	for i := 0; i < len(id); i++ {
		if c := id[i]; !letterOrDigit(c) && c != '_' && c != '-' && c != '.' {
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
		set[c] = letterOrDigit(b)
	}
	for _, c := range []byte("._:@|+-") {
		set[c] = true
	}
	return set
}()

func letterOrDigit(c byte) bool {
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z')
}
