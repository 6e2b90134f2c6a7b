package admin

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"flashsale/sale"
)

// putBuyers replaces the list of a listed sale and reads it line by line, so a list of any length needs only a few
// megabytes of memory. The list takes effect only when its last line is valid.
func (a *API) putBuyers(c *call) error {
	id, err := c.saleID()
	if err != nil {
		return err
	}
	if err := a.takesBuyers(c, id); err != nil {
		drain(c.w, c.r)
		return err
	}
	lines := newBuyerLines(&patientBody{c: c, limit: a.opts.BodyLimit})
	count, err := a.deps.Sales.ReplaceBuyers(c.r.Context(), id, lines.next)
	if lines.fault != nil { // the store's error is a consequence of the fault in the list
		drain(c.w, c.r)
		return lines.fault
	}
	if err != nil {
		return err
	}
	a.opts.Logger.Info("buyers listed", "sale", id, "buyers", count)
	return c.answer(http.StatusOK, map[string]int64{"buyers": count})
}

// takesBuyers refuses at once what the store would refuse after a million lines.
func (a *API) takesBuyers(c *call, id string) error {
	ctx, cancel := a.reading(c)
	defer cancel()
	s, err := a.deps.Sales.Sale(ctx, id)
	switch {
	case err != nil:
		return err
	case s.Eligibility != sale.EligibilityList:
		return &sale.StateError{State: s.State, Detail: `only a sale with "eligibility":"list" has a list of buyers`}
	case s.State != sale.StateDraft && s.State != sale.StatePreloaded:
		return &sale.StateError{State: s.State, Detail: "the list of buyers is fixed once the sale has been opened"}
	}
	return nil
}

// patientBody reads a body of any length, as long as no pause in it exceeds the limit.
type patientBody struct {
	c     *call
	limit time.Duration
}

func (p *patientBody) Read(into []byte) (int, error) {
	control := http.NewResponseController(p.c.w)
	if err := control.SetReadDeadline(time.Now().Add(p.limit)); err != nil {
		return 0, fmt.Errorf("bound the reading of buyers: %w", err)
	}
	n, err := p.c.r.Body.Read(into)
	if err != nil {
		// As in readBody: from here the server watches the connection for a close by the client.
		err = errors.Join(err, control.SetReadDeadline(time.Time{}))
	}
	return n, err
}

// buyerLines returns one buyer id per line and records the first fault. A line ends with \n or \r\n; the end of the
// last line is optional.
type buyerLines struct {
	reader *bufio.Reader
	number int64
	fault  error
}

func newBuyerLines(r io.Reader) *buyerLines {
	return &buyerLines{reader: bufio.NewReaderSize(r, 32<<10)}
}

// next returns the next id, and io.EOF after the last one. An empty list is a fault: its file was probably not written.
func (b *buyerLines) next() (string, error) {
	line, err := b.reader.ReadSlice('\n')
	if len(line) == 0 && errors.Is(err, io.EOF) {
		if b.number == 0 {
			b.fault = malformed("", "the body has no buyers: send one buyer id per line")
			return "", b.fault
		}
		return "", io.EOF
	}
	b.number++
	switch {
	case err == nil, errors.Is(err, io.EOF):
	case errors.Is(err, bufio.ErrBufferFull):
		return "", b.bad("is longer than any buyer id")
	default:
		b.fault = malformed("", fmt.Sprintf("the list could not be read to its end; it stopped in line %d", b.number))
		return "", b.fault
	}
	id := bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
	if !sale.ValidBuyerID(id) {
		return "", b.bad(fmt.Sprintf("must be one buyer id, 1 to %d of A-Za-z0-9._:@|+-, and is %.80q", sale.MaxIDBytes, id))
	}
	return string(id), nil
}

func (b *buyerLines) bad(detail string) error {
	b.fault = malformed(fmt.Sprintf("line %d", b.number), detail, sale.Member{Name: "line", Value: b.number})
	return b.fault
}
