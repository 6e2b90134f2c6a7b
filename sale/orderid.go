package sale

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/bwmarrin/snowflake"
)

// OrderID is a Snowflake id: 41 bits of milliseconds since IDEpoch, 10 bits of node, 12 bits of step. It is positive. JSON
// and Redis carry it as a string, because both lose precision above 2^53.
type OrderID int64

// IDEpoch is the zero of the time in Snowflake ids, in Unix milliseconds: 2026-01-01T00:00:00Z. Stored ids depend on it.
const IDEpoch int64 = 1_767_225_600_000

// MaxNode is the highest node id.
const MaxNode = 1023

// ErrOrderID is the error for text that is not an order id.
var ErrOrderID = errors.New("order id must be a positive decimal integer")

// String returns the id in decimal.
func (id OrderID) String() string { return strconv.FormatInt(int64(id), 10) }

// MarshalJSON writes the id as a JSON string.
func (id OrderID) MarshalJSON() ([]byte, error) {
	return strconv.AppendQuote(nil, id.String()), nil
}

// UnmarshalJSON reads the id from a JSON string.
func (id *OrderID) UnmarshalJSON(data []byte) error {
	text, err := strconv.Unquote(string(data))
	if err != nil {
		return ErrOrderID
	}
	*id, err = ParseOrderID(text)
	return err
}

// Time returns the time in the id, by the clock of the gateway that made it.
func (id OrderID) Time() time.Time { return time.UnixMilli(int64(id)>>22 + IDEpoch).UTC() }

// ParseOrderID reads a decimal order id of 1 to 19 digits without sign or leading zero. The error is ErrOrderID.
func ParseOrderID(text string) (OrderID, error) {
	if len(text) == 0 || text[0] < '1' || text[0] > '9' {
		return 0, ErrOrderID
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, ErrOrderID
	}
	return OrderID(n), nil
}

// OrderIDNode makes the order ids of one node id. It is safe for concurrent use.
type OrderIDNode struct{ node *snowflake.Node }

// NewOrderIDNode returns a generator for a node id, 0 to MaxNode. The caller must own the lease of the node id: two
// generators of one node id at once make equal ids.
func NewOrderIDNode(node int64) (*OrderIDNode, error) {
	generator, err := snowflake.NewNode(node)
	if err != nil {
		return nil, fmt.Errorf("order ids of node %d: %w", node, err)
	}
	return &OrderIDNode{generator}, nil
}

// Next returns an id that is greater than all before it.
func (n *OrderIDNode) Next() OrderID { return OrderID(n.node.Generate()) }

// The library has its epoch in a package variable that NewNode reads; init sets it before any generator exists.
func init() { snowflake.Epoch = IDEpoch }
