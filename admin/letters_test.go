package admin

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/test/memory"
)

// fakeLetters decides on the database in memory, as package settle does. poison fails a replay.
type fakeLetters struct {
	*memory.Database
	poison error
}

func (f *fakeLetters) Replay(ctx context.Context, id string) (bool, error) {
	letter, err := f.DeadLetter(ctx, id)
	switch {
	case err != nil || letter.State != sale.DeadLetterWaiting:
		return false, err
	case f.poison != nil:
		return false, fmt.Errorf("replay dead letter %s: %w", id, f.poison)
	}
	return true, f.MarkReplayed(ctx, id)
}

func (f *fakeLetters) Refuse(ctx context.Context, id string) (bool, error) {
	letter, err := f.DeadLetter(ctx, id)
	if err != nil || letter.State != sale.DeadLetterWaiting {
		return false, err
	}
	return true, f.RefuseDeadLetter(ctx, id)
}

// letter adds a dead letter of a record with one order, or of bytes that are no record.
func (b *bench) letter(partition int32, offset int64, raw []byte) string {
	b.t.Helper()
	id := fmt.Sprintf("%d-%d", partition, offset)
	if raw == nil {
		order := sale.RecordOrder{OrderID: sale.OrderID(9000 + offset), Buyer: "u:1", Lines: phones(1)}
		raw = sale.AppendBatch(nil, &sale.Batch{Bucket: sale.Bucket{Sale: "lost"}, Epoch: 1, Sequence: offset + 1,
			BatchID: order.OrderID, CreatedMS: tenOClock.UnixMilli(), Orders: []sale.RecordOrder{order}})
	}
	require.NoError(b.t, b.store.AddDeadLetter(b.t.Context(), sale.DeadLetter{ID: id, Reason: sale.PoisonUnknownBucket,
		Detail: "no such sale", State: sale.DeadLetterWaiting, Partition: partition, Offset: offset, Raw: raw}))
	return "/admin/v1/deadletters/" + id
}

func TestDeadLettersAreListed(t *testing.T) {
	b, doc := newBench(t), document(t)
	require.JSONEq(t, `{"deadletters":[]}`, string(b.ask("GET", "/admin/v1/deadletters", "").Body))
	for i := range int64(6) {
		b.letter(int32(5-i), i, nil)
	}
	b.letter(9, 9, []byte("?"))
	one := b.ask("GET", "/admin/v1/deadletters?limit=1", "", "Authorization", "Bearer "+viewerToken)
	doc.fits(t, "DeadLetters", one.Body)
	require.Equal(t, map[string]any{"id": "0-5", "reason": "unknown_bucket", "detail": "no such sale", "state": "waiting",
		"partition": 0.0, "offset": 5.0, "orders": []any{"9005"}}, one.is(200)["deadletters"].([]any)[0])
	b.ask("POST", "/admin/v1/deadletters/1-4/replay", "").is(200)
	b.ask("POST", "/admin/v1/deadletters/3-2/refuse", "").is(200)
	for state, wanted := range map[string][]string{
		"":        {"0-5", "2-3", "4-1", "5-0", "9-9"},
		"waiting": {"0-5", "2-3", "4-1", "5-0", "9-9"}, "replayed": {"1-4"}, "refused": {"3-2"},
		"all": {"3-2", "1-4", "0-5", "2-3", "4-1", "5-0", "9-9"},
	} {
		for _, limit := range []int{1, 2, 1000} {
			var ids []string
			path := fmt.Sprintf("/admin/v1/deadletters?state=%s&limit=%d", state, limit)
			for next, more := "", true; more; {
				got := b.ask("GET", path+"&cursor="+next, "").is(200)
				for _, l := range got["deadletters"].([]any) {
					ids = append(ids, l.(map[string]any)["id"].(string))
				}
				next, more = got["next"].(string)
			}
			require.Equal(t, wanted, ids, path)
		}
	}
	next := b.ask("GET", "/admin/v1/deadletters?limit=1", "").is(200)["next"].(string)
	forged := base64.RawURLEncoding.EncodeToString([]byte(`["lost",1,2,"1-2"]`))
	for query, field := range map[string]string{
		"state=lost": "state", "limit=0": "limit", "limit=x": "limit", "cursor=x": "cursor", "cursor=" + next[2:]: "cursor",
		"state=refused&cursor=" + next: "cursor", "cursor=" + forged: "cursor", "sale=s": "sale", "state=all&state=all": "state",
	} {
		b.ask("GET", "/admin/v1/deadletters?"+query, "").field(field)
	}
}

func TestOneDeadLetterShowsItsRecord(t *testing.T) {
	b, doc := newBench(t), document(t)
	text := b.ask("GET", b.letter(1, 2, nil), "")
	doc.fits(t, "DeadLetterRecord", text.Body)
	require.Contains(t, text.is(200)["record"], "lost")
	bytes := b.ask("GET", b.letter(1, 3, []byte("\x00\xff")), "")
	doc.fits(t, "DeadLetterRecord", bytes.Body)
	require.Equal(t, "AP8=", bytes.is(200)["record_base64"])
	require.NotContains(t, bytes.is(200), "record")
	require.Equal(t, "", b.ask("GET", b.letter(1, 4, []byte{}), "").is(200)["record"], "a record without a value")
	for _, id := range []string{"1-9", "x", "%20", "1%2F2", "'"} {
		b.ask("GET", "/admin/v1/deadletters/"+id, "").problem(404, "deadletter_not_found")
	}
}

func TestDeadLettersAreDecidedOnce(t *testing.T) {
	b, doc := newBench(t), document(t)
	replayed, refused := b.letter(1, 2, nil), b.letter(1, 3, nil)
	for _, changed := range []bool{true, false, false} {
		for path, state := range map[string]string{replayed + "/replay": "replayed", refused + "/refuse": "refused"} {
			r := b.ask("POST", path, "", "Authorization", "Bearer "+operatorToken)
			doc.fits(t, "DecidedDeadLetter", r.Body)
			require.Equal(t, state, r.is(200)["state"])
			require.Equal(t, changed, r.is(200)["changed"], path)
		}
	}
	require.Equal(t, "replayed", b.ask("POST", replayed+"/refuse", "").problem(409, "wrong_state")["state"])
	require.Equal(t, "refused", b.ask("POST", refused+"/replay", "").problem(409, "wrong_state")["state"])
	require.Equal(t, "refused", b.ask("GET", "/admin/v1/orders/9003", "").is(200)["status"])
	for _, verb := range []string{"replay", "refuse"} {
		b.ask("POST", "/admin/v1/deadletters/7-7/"+verb, "").problem(404, "deadletter_not_found")
		b.ask("POST", "/admin/v1/deadletters/no-such-letter/"+verb, "").problem(404, "deadletter_not_found")
		b.ask("POST", replayed+"/"+verb, "", "Authorization", "Bearer "+viewerToken).problem(403, "forbidden")
		b.ask("POST", replayed+"/"+verb, "", "Authorization", "Bearer "+shopToken).problem(403, "forbidden")
	}
	last := b.ask("GET", "/admin/v1/trail", "").is(200)["entries"].([]any)[0].(map[string]any)
	require.Equal(t, "deadletter/no-such-letter", last["target"], "a refused decision is in the trail, too")
}

func TestReplayThatFails(t *testing.T) {
	b, doc := newBench(t), document(t)
	path := b.letter(1, 2, nil)
	b.letters.poison = &sale.PoisonError{Reason: sale.PoisonUnknownBucket, Err: errors.New("sale lost is not known")}
	r := b.ask("POST", path+"/replay", "")
	doc.fits(t, "Problem", r.Body)
	got := r.problem(409, "cannot_settle")
	require.Equal(t, "sale lost is not known", got["detail"])
	require.Equal(t, "unknown_bucket", got["reason"])
	require.Equal(t, "waiting", b.ask("GET", path, "").is(200)["state"])
	b.letters.poison = errAway
	b.ask("POST", path+"/replay", "").problem(503, "unavailable")
	b.store.set(func() { b.store.away = true })
	for _, ask := range [][2]string{{"GET", "/admin/v1/deadletters"}, {"GET", path}, {"POST", path + "/refuse"}} {
		b.ask(ask[0], ask[1], "").problem(503, "unavailable")
	}
}
