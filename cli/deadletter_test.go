package cli

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// lettersAPI answers as the operators' API does: 1-2 waits, 1-3 was decided otherwise, 1-4 the same, 1-5 cannot settle.
func lettersAPI(w http.ResponseWriter, r *http.Request) {
	answer := func(status int, body string) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
	id, verb, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/admin/v1/deadletters/"), "/")
	switch {
	case r.Method == http.MethodGet && r.URL.Query().Get("cursor") == "":
		answer(200, `{"deadletters":[{"id":"1-2","reason":"decode","detail":"\u001b","state":"waiting","partition":1,"offset":2,`+
			`"orders":[]}],"next":"more"}`)
	case r.Method == http.MethodGet:
		answer(200, `{"deadletters":[{"id":"1-5","reason":"data","detail":"no","state":"waiting","partition":1,"offset":5,`+
			`"orders":["7","8"]}]}`)
	case id == "1-2", id == "1-4":
		answer(200, `{"id":"`+id+`","state":"`+verb+`","changed":`+map[string]string{"1-2": "true", "1-4": "false"}[id]+`}`)
	case id == "1-3":
		answer(409, `{"code":"wrong_state","status":409,"detail":"the dead letter is refused, which is final"}`)
	case id == "1-5":
		answer(409, `{"code":"cannot_settle","status":409,"detail":"sale lost is not known"}`)
	default:
		answer(404, `{"code":"deadletter_not_found","status":404,"detail":"the list of dead letters has the ids"}`)
	}
}

func TestDeadletterCommands(t *testing.T) {
	api := httptest.NewServer(http.HandlerFunc(lettersAPI))
	defer api.Close()
	environ := []string{testToken, "FLASHSALE_ADMIN_URL=" + api.URL} // it needs no database
	got := command(t, environ, "", "deadletter", "list")
	require.Equal(t, ExitDone, got.code, got.stderr)
	require.Equal(t, "ID   STATE    REASON  ORDERS  DETAIL\n"+
		"1-2  waiting  decode  0       ?\n"+
		"1-5  waiting  data    2       no\n", got.stdout)
	got = command(t, environ, "", "deadletter", "list", "-o", "json")
	require.Equal(t, `[{"id":"1-2","reason":"decode","detail":"\u001b","state":"waiting","partition":1,"offset":2,"orders":[]},`+
		`{"id":"1-5","reason":"data","detail":"no","state":"waiting","partition":1,"offset":5,"orders":["7","8"]}]`+"\n",
		got.stdout)
	for verb, done := range map[string]string{"replay": "replayed", "refuse": "refused"} {
		got = command(t, environ, "", "deadletter", verb, "1-2", "1-3", "1-4")
		require.Equal(t, ExitDone, got.code, got.stderr)
		require.Equal(t, "1-2 "+done+"\n1-3 unchanged\n1-4 unchanged\n", got.stdout)
	}
	got = command(t, environ, "", "deadletter", "replay", "99", "1-5", "1-2")
	require.Equal(t, ExitFailed, got.code)
	require.Equal(t, "1-2 replayed\n", got.stdout, "it goes on after a failure")
	require.Contains(t, got.stderr, "replay dead letter 99: deadletter_not_found (404)")
	require.Contains(t, got.stderr, "replay dead letter 1-5: cannot_settle (409): sale lost is not known")
}
