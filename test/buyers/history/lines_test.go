package history

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestLinesOfAQuestion(t *testing.T) {
	var q Question
	several := []Line{{SKU: "a", Quantity: 2}, {SKU: "B.c", Quantity: 1}}
	q.Want(several)
	assert.Equal(t, Question{Lines: "a:2,B.c:1"}, q)
	assert.Equal(t, several, q.Wanted())
	assert.Equal(t, 3, Units(q.Wanted()))
	assert.Equal(t, []int{2, 1, 0}, []int{q.Of("a"), q.Of("B.c"), q.Of("b")})
	q.Want(several[:1])
	assert.Equal(t, Question{SKU: "a", Quantity: 2}, q)
	assert.Equal(t, several[:1], q.Wanted())
	assert.Equal(t, []Line{{SKU: "a", Quantity: 1}}, (&Question{SKU: "a"}).Wanted())
	assert.Empty(t, (&Question{}).Wanted())
	assert.Equal(t, "b", (&Op{Question: q, Answer: Answer{NamedSKU: "b"}}).AtFault())
	assert.Equal(t, "a", (&Op{Question: q}).AtFault())
}
