package adminclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"flashsale/sale"
)

const lettersPath = "/admin/v1/deadletters"

// DeadLetter is a record that could not settle.
type DeadLetter struct {
	ID        string               `json:"id"`
	Reason    string               `json:"reason"`
	Detail    string               `json:"detail"`
	State     sale.DeadLetterState `json:"state"`
	Partition int32                `json:"partition"`
	Offset    int64                `json:"offset"`
	Orders    []sale.OrderID       `json:"orders"`
}

// DeadLetters returns all that wait for a decision.
func (c *Client) DeadLetters(ctx context.Context) (all []DeadLetter, err error) {
	all = []DeadLetter{}
	for cursor := ""; ; {
		path := lettersPath + "?limit=1000&state=" + string(sale.DeadLetterWaiting)
		if cursor != "" {
			path += "&cursor=" + url.QueryEscape(cursor)
		}
		body, err := c.quick(ctx, http.MethodGet, path, nil)
		if err != nil {
			return nil, err
		}
		var page struct {
			Letters []DeadLetter `json:"deadletters"`
			Next    string       `json:"next"`
		}
		if err := json.Unmarshal(body, &page); err != nil {
			return nil, fmt.Errorf("%w: read a page of dead letters: %w", ErrUnreadable, err)
		}
		all = append(all, page.Letters...)
		if cursor = page.Next; cursor == "" {
			return all, nil
		}
	}
}

// DecideLetter replays or refuses a dead letter and reports whether that changed anything: a letter that was decided before, in
// the same way or otherwise, is unchanged.
func (c *Client) DecideLetter(ctx context.Context, id, verb string) (changed bool, err error) {
	var decided struct {
		Changed bool `json:"changed"`
	}
	body, err := c.quick(ctx, http.MethodPost, lettersPath+"/"+url.PathEscape(id)+"/"+verb, nil)
	if err == nil {
		err = json.Unmarshal(body, &decided)
	}
	var refusal *Refusal
	if errors.As(err, &refusal) && refusal.Status == http.StatusConflict && refusal.Code == "wrong_state" {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("%s dead letter %s: %w", verb, id, err)
	}
	return decided.Changed, nil
}
