package admin

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"

	"flashsale/sale"
)

// A cursor is base64url of: version (1 byte), updated_at of the position, order id, and the time of the first page (8 bytes
// each, in milliseconds), checksum (4 bytes) of these and of the filters. It gives no right, so it is not signed: the checksum
// finds a cursor that is cut, altered, or of other filters.
const (
	cursorVersion = 1
	cursorBytes   = 1 + 3*8
)

// writeCursor returns the text of a position.
func writeCursor(at sale.OrderPosition, begun sale.Time, filters string) string {
	b := append(make([]byte, 0, cursorBytes+4), cursorVersion)
	for _, n := range []int64{at.UpdatedAt.UnixMilli(), int64(at.OrderID), begun.UnixMilli()} {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	b = binary.BigEndian.AppendUint32(b, cursorSum(b, filters))
	return base64.RawURLEncoding.EncodeToString(b)
}

// readCursor returns what writeCursor has written for the same filters, or false.
func readCursor(text, filters string) (at sale.OrderPosition, begun sale.Time, ok bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) != cursorBytes+4 || b[0] != cursorVersion ||
		binary.BigEndian.Uint32(b[cursorBytes:]) != cursorSum(b[:cursorBytes], filters) {
		return at, begun, false
	}
	number := func(i int) int64 { return int64(binary.BigEndian.Uint64(b[1+8*i:])) }
	at = sale.OrderPosition{UpdatedAt: sale.TimeMillis(number(0)), OrderID: sale.OrderID(number(1))}
	begun = sale.TimeMillis(number(2))
	for _, ms := range []int64{number(0), number(2)} {
		if ms < 0 || ms > sale.MaxCreatedMS {
			return at, begun, false
		}
	}
	return at, begun, at.OrderID > 0
}

func cursorSum(b []byte, filters string) uint32 {
	return crc32.Update(crc32.ChecksumIEEE(b), crc32.IEEETable, []byte(filters))
}
