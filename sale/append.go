package sale

import (
	"encoding/json"
	"strconv"
	"time"
)

// AppendTime writes t in TimeLayout; the year must have four digits. The formatter of package time takes five times as long,
// and this runs for every purchase request before a sale starts and for every event.
func AppendTime(dst []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	dst = appendPair(appendPair(dst, year/100), year%100)
	dst = appendPair(append(dst, '-'), int(month))
	dst = appendPair(append(dst, '-'), day)
	dst = appendPair(append(dst, 'T'), hour)
	dst = appendPair(append(dst, ':'), minute)
	dst = appendPair(append(dst, ':'), second)
	ms := t.Nanosecond() / int(time.Millisecond)
	return append(appendPair(append(dst, '.'), ms/10), byte('0'+ms%10), 'Z')
}

// appendPair writes a number below 100 with two digits.
func appendPair(dst []byte, n int) []byte { return append(dst, byte('0'+n/10), byte('0'+n%10)) }

// AppendOrder writes an order as JSON, without reflection: order_id, status, reason where there is one, sale; sku, quantity
// and unit_price_cents where the order has one line; lines, total_cents, currency, created_at, updated_at, and pay_by where
// the order has a payment deadline.
func AppendOrder(dst []byte, o *Order) []byte {
	dst = strconv.AppendInt(append(dst, `{"order_id":"`...), int64(o.OrderID), 10)
	dst = append(append(dst, `","status":"`...), o.Status...)
	if o.Reason != ReasonNone {
		dst = append(append(dst, `","reason":"`...), o.Reason...)
	}
	dst = AppendText(append(dst, `","sale":`...), o.Sale)
	dst = appendLines(dst, o.Lines)
	dst = strconv.AppendInt(append(dst, `],"total_cents":`...), TotalCents(o.Lines), 10)
	dst = AppendText(append(dst, `,"currency":`...), o.Currency)
	dst = AppendTime(append(dst, `,"created_at":"`...), o.CreatedAt.Time)
	if o.UpdatedAt == o.CreatedAt { // a new order: copy the text
		dst = append(append(dst, `","updated_at":"`...), dst[len(dst)-len(TimeLayout):]...)
	} else {
		dst = AppendTime(append(dst, `","updated_at":"`...), o.UpdatedAt.Time)
	}
	if o.PayBy != nil {
		dst = AppendTime(append(dst, `","pay_by":"`...), o.PayBy.Time)
	}
	return append(dst, '"', '}')
}

// appendLines writes the members of an order's lines, and the list of them up to its end. Most orders have one line; its text is
// copied into the list.
func appendLines(dst []byte, lines []Line) []byte {
	const list = `,"lines":[`
	if len(lines) == 1 {
		first := len(dst)
		dst = append(appendLine(dst, ',', &lines[0]), list...)
		return append(append(append(dst, '{'), dst[first+1:len(dst)-len(list)]...), '}')
	}
	dst = append(dst, list...)
	for i := range lines {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendLine(dst, '{', &lines[i]), '}')
	}
	return dst
}

// appendLine writes the members of a line after one byte.
func appendLine(dst []byte, before byte, l *Line) []byte {
	dst = AppendText(append(append(dst, before), `"sku":`...), l.SKU)
	dst = strconv.AppendInt(append(dst, `,"quantity":`...), int64(l.Quantity), 10)
	return strconv.AppendInt(append(dst, `,"unit_price_cents":`...), l.UnitPriceCents, 10)
}

// AppendOperatorOrder writes the operators' view of an order: AppendOrder's members, buyer_id, and payment_id of a paid order.
func AppendOperatorOrder(dst []byte, o *Order) []byte {
	dst = AppendOrder(dst, o)
	dst = AppendText(append(dst[:len(dst)-1], `,"buyer_id":`...), o.BuyerID)
	if o.PaymentID != "" {
		dst = AppendText(append(dst, `,"payment_id":`...), o.PaymentID)
	}
	return append(dst, '}')
}

// AppendText writes text as a JSON string, as encoding/json does.
func AppendText(dst []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < 0x20 || c > 0x7e || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			escaped, _ := json.Marshal(text) // a string never fails
			return append(dst, escaped...)
		}
	}
	return append(append(append(dst, '"'), text...), '"')
}
