package admin

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"flashsale/sale"
)

// DeadLetters are the records that could not settle, and what operators decide about them. An unknown one is sale.ErrNotFound.
type DeadLetters interface {
	DeadLetters(ctx context.Context, q *sale.LetterQuery) (sale.LetterPage, error)
	DeadLetter(ctx context.Context, id string) (sale.DeadLetter, error)
	// Replay settles a waiting letter again and reports whether that changed anything. The error is a *sale.PoisonError when
	// its record still cannot settle.
	Replay(ctx context.Context, id string) (changed bool, err error)
	// Refuse ends the orders of a waiting letter as refused and reports whether that changed anything.
	Refuse(ctx context.Context, id string) (changed bool, err error)
}

// letterAnswer is a dead letter in the list.
type letterAnswer struct {
	ID        string               `json:"id"`
	Reason    string               `json:"reason"`
	Detail    string               `json:"detail"`
	State     sale.DeadLetterState `json:"state"`
	Partition int32                `json:"partition"`
	Offset    int64                `json:"offset"`
	Orders    []sale.OrderID       `json:"orders"`
}

// shownLetter is a dead letter with its record: the text of it, or its bytes in base64 where it is not text.
type shownLetter struct {
	letterAnswer
	Record *string `json:"record,omitempty"`
	Bytes  []byte  `json:"record_base64,omitempty"`
}

// decidedLetter is a dead letter as a decision has left it. Changed is false when it had been decided in the same way before.
type decidedLetter struct {
	letterAnswer
	Changed bool `json:"changed"`
}

// lettersAnswer is a page of the list.
type lettersAnswer struct {
	Letters []letterAnswer `json:"deadletters"`
	Next    string         `json:"next,omitempty"`
}

func letterOf(l *sale.DeadLetter) letterAnswer {
	a := letterAnswer{l.ID, l.Reason, l.Detail, l.State, l.Partition, l.Offset, make([]sale.OrderID, len(l.Orders))}
	for i := range l.Orders {
		a.Orders[i] = l.Orders[i].OrderID
	}
	return a
}

// listLetters answers with the dead letters of a state, those that wait when none is named.
func (a *API) listLetters(c *call) error {
	query, err := c.letterQuery()
	if err != nil {
		return err
	}
	ctx, cancel := a.reading(c)
	defer cancel()
	page, err := a.deps.DeadLetters.DeadLetters(ctx, &query)
	if err != nil {
		return err
	}
	answer := lettersAnswer{Letters: make([]letterAnswer, len(page.Letters))}
	for i := range page.Letters {
		answer.Letters[i] = letterOf(&page.Letters[i])
	}
	if page.Next != nil {
		answer.Next = writeLetterCursor(*page.Next)
	}
	return c.answer(http.StatusOK, answer)
}

// everyState is the word for letters in every state.
const everyState = "all"

func (c *call) letterQuery() (sale.LetterQuery, error) {
	values, faults := c.parameters([]string{"state", "cursor", "limit"})
	q := sale.LetterQuery{State: sale.DeadLetterWaiting, Limit: feedPage}
	if text := values.Get("state"); text != "" {
		q.State = sale.DeadLetterState(text)
	}
	if q.State == everyState {
		q.State = ""
	} else if !q.State.Known() {
		faults = append(faults, sale.Fieldf("state", "must be waiting, replayed, refused or %s", everyState))
	}
	if text := values.Get("limit"); text != "" {
		var err error
		if q.Limit, err = strconv.Atoi(text); err != nil || q.Limit < 1 || q.Limit > feedLongest {
			faults = append(faults, sale.Fieldf("limit", "must be 1 to %d", feedLongest))
		}
	}
	if text := values.Get("cursor"); text != "" {
		var ok bool
		if q.After, ok = readLetterCursor(text); !ok || q.State != "" && q.After.State != q.State {
			faults = append(faults, sale.Fieldf("cursor", "must be the next of an earlier answer to the same state"))
		}
	}
	if len(faults) > 0 {
		return q, faults
	}
	return q, nil
}

// writeLetterCursor returns the text of a position: base64url of its members as a JSON array.
func writeLetterCursor(at sale.LetterPosition) string {
	members, err := json.Marshal([]any{at.State, at.Partition, at.Offset, at.ID})
	if err != nil {
		panic("words and numbers are always JSON: " + err.Error())
	}
	return base64.RawURLEncoding.EncodeToString(members)
}

func readLetterCursor(text string) (*sale.LetterPosition, bool) {
	at := &sale.LetterPosition{}
	members, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err == nil {
		err = json.Unmarshal(members, &[]any{&at.State, &at.Partition, &at.Offset, &at.ID})
	}
	return at, err == nil && at.State.Known() && validLetterID(at.ID) && writeLetterCursor(*at) == text
}

// validLetterID reports whether an id may be that of a letter: PARTITION-OFFSET, and -HASH where two records had the same.
func validLetterID(id string) bool {
	return id != "" && len(id) <= sale.MaxIDBytes && strings.Trim(id, "0123456789abcdef-") == ""
}

// problemLetterNotFound is the answer for a letter that does not exist.
var problemLetterNotFound = sale.Problem{Status: http.StatusNotFound, Code: codeLetterNotFound,
	Title: "There is no such dead letter", Detail: "the list of dead letters has the ids"}

// getLetter answers with one letter and its record.
func (a *API) getLetter(c *call) error {
	ctx, cancel := a.reading(c)
	defer cancel()
	letter, err := a.readLetter(ctx, c.r.PathValue("id"))
	if err != nil {
		return err
	}
	shown := shownLetter{letterAnswer: letterOf(&letter)}
	if utf8.Valid(letter.Raw) {
		text := string(letter.Raw)
		shown.Record = &text
	} else {
		shown.Bytes = letter.Raw
	}
	return c.answer(http.StatusOK, shown)
}

func (a *API) readLetter(ctx context.Context, id string) (sale.DeadLetter, error) {
	if !validLetterID(id) {
		return sale.DeadLetter{}, problemLetterNotFound
	}
	letter, err := a.deps.DeadLetters.DeadLetter(ctx, id)
	if errors.Is(err, sale.ErrNotFound) {
		return letter, problemLetterNotFound
	}
	return letter, err
}

// replayLetter settles the record of a letter again.
func (a *API) replayLetter(c *call) error {
	return a.decideLetter(c, sale.DeadLetterReplayed, a.deps.DeadLetters.Replay)
}

// refuseLetter refuses the orders of a letter for good. A letter whose record has settled meanwhile becomes replayed.
func (a *API) refuseLetter(c *call) error {
	return a.decideLetter(c, sale.DeadLetterRefused, a.deps.DeadLetters.Refuse)
}

// decideLetter makes a decision and answers with the letter as it is then. A letter that was decided otherwise before keeps its
// state.
func (a *API) decideLetter(
	c *call, wanted sale.DeadLetterState, decide func(ctx context.Context, id string) (changed bool, err error),
) error {
	ctx, cancel := a.deciding(c)
	defer cancel()
	id := c.r.PathValue("id")
	if _, err := a.readLetter(ctx, id); err != nil {
		return err
	}
	changed, err := decide(ctx, id)
	var poison *sale.PoisonError
	if errors.As(err, &poison) {
		return sale.Problem{
			Status: http.StatusConflict, Code: codeCannotSettle, Title: "The record still cannot settle",
			Detail: poison.Err.Error(), Members: []sale.Member{{Name: "reason", Value: poison.Reason}},
		}
	}
	if err != nil {
		return err
	}
	letter, err := a.readLetter(ctx, id)
	if err != nil {
		return err
	}
	if !changed && letter.State != wanted {
		return sale.Problem{
			Status: http.StatusConflict, Code: codeWrongState, Title: "The dead letter was decided otherwise",
			Detail:  "the dead letter is " + string(letter.State) + ", which is final",
			Members: []sale.Member{{Name: "state", Value: letter.State}},
		}
	}
	if changed {
		a.opts.Logger.Info("dead letter decided", "dead_letter", id, "state", letter.State, "who", c.actor.Who)
	}
	return c.answer(http.StatusOK, decidedLetter{letterOf(&letter), changed})
}
