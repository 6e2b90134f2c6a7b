package admin

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/access"
)

// signIn returns the cookie of a new session and its csrf.
func (b *bench) signIn(token string) (cookie, csrf string) {
	b.t.Helper()
	r := b.ask("POST", "/admin/v1/session", `{"token":"`+token+`"}`, "Authorization", "")
	session := r.is(200)
	cookies := (&http.Response{Header: r.Header}).Cookies()
	require.Len(b.t, cookies, 1)
	return cookies[0].Name + "=" + cookies[0].Value, session["csrf"].(string)
}

func TestSessionOfABrowser(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale, "preload", "open")
	r := b.ask("POST", "/admin/v1/session", `{"token":"`+operatorToken+`"}`, "Authorization", "")
	session := r.is(200)
	require.Equal(t, "night", session["name"])
	require.Equal(t, "operator", session["role"])
	set := r.Header.Get("Set-Cookie")
	for _, flag := range []string{"flashsale_session=", "Path=/", "HttpOnly", "SameSite=Strict", "Max-Age=43200"} {
		require.Contains(t, set, flag)
	}
	require.NotContains(t, set, "Secure", "the listener speaks plain HTTP")
	secure := b.ask("POST", "/admin/v1/session", `{"token":"`+operatorToken+`"}`, "Authorization", "",
		"X-Forwarded-Proto", "https")
	require.Contains(t, secure.Header.Get("Set-Cookie"), "Secure")

	cookie, csrf := b.signIn(operatorToken)
	same := b.ask("GET", "/admin/v1/session", "", "Authorization", "", "Cookie", cookie).is(200)
	require.Equal(t, csrf, same["csrf"])
	b.ask("GET", "/admin/v1/sales", "", "Authorization", "", "Cookie", cookie).is(200)
	b.ask("POST", "/admin/v1/sales/s/pause", "", "Authorization", "", "Cookie", cookie).problem(403, "csrf_required")
	b.ask("POST", "/admin/v1/sales/s/pause", "", "Authorization", "", "Cookie", cookie, "X-CSRF-Token", csrf+"x").
		problem(403, "csrf_required")
	_, others := b.signIn(operatorToken)
	require.NotEqual(t, csrf, others, "each session has its own")
	b.ask("POST", "/admin/v1/sales/s/pause", "", "Authorization", "", "Cookie", cookie, "X-CSRF-Token", others).
		problem(403, "csrf_required")
	require.Equal(t, "open", b.ask("GET", "/admin/v1/sales/s", "").is(200)["state"])
	b.ask("POST", "/admin/v1/sales/s/pause", "", "Authorization", "", "Cookie", cookie, "X-CSRF-Token", csrf).is(200)
	b.ask("DELETE", "/admin/v1/sales/s", "", "Authorization", "", "Cookie", cookie, "X-CSRF-Token", csrf).
		problem(403, "forbidden")

	out := b.ask("DELETE", "/admin/v1/session", "", "Authorization", "", "Cookie", cookie)
	require.Equal(t, 204, out.Status)
	require.Contains(t, out.Header.Get("Set-Cookie"), "Max-Age=0")
	require.Equal(t, "admin", b.ask("GET", "/admin/v1/session", "").is(200)["name"], "a token has a name, too")
	require.NotContains(t, b.ask("GET", "/admin/v1/session", "").is(200), "csrf")
}

func TestSignInRefusesBadInput(t *testing.T) {
	b := newBench(t)
	ask := func(body string) *reply { return b.ask("POST", "/admin/v1/session", body, "Authorization", "") }
	ask(`{}`).field("token")
	ask(`{"token":7}`).field("token")
	ask(`{"token":"x","name":"n"}`).field("name")
	ask(`{"token":"wrong"}`).problem(401, "unauthenticated")
	ask(`{"token":"`+operatorToken[:20]+`"}`).problem(401, "unauthenticated")
	ask(`{"token":""}`).problem(401, "unauthenticated")
}

// A forged, cut or old cookie opens nothing, and is ended in the browser.
func TestForgedCookies(t *testing.T) {
	b := newBench(t)
	cookie, csrf := b.signIn(operatorToken)
	admins, _ := b.signIn(adminToken)
	parts, theirs := strings.Split(cookie, "."), strings.Split(admins, ".")
	for name, forged := range map[string]string{
		"another name":  theirs[0] + "." + strings.Join(parts[1:], "."),
		"later":         parts[0] + ".99999999999." + parts[2] + "." + parts[3],
		"another nonce": parts[0] + "." + parts[1] + ".NONCE." + parts[3], "cut": cookie[:len(cookie)-1], "longer": cookie + "A",
		"no name": "flashsale_session=." + strings.Join(parts[1:], "."), "empty": "flashsale_session=",
		"five parts": cookie + ".x",
		"long":       "flashsale_session=" + strings.Repeat("a.", 1000),
	} {
		r := b.ask("GET", "/admin/v1/sales", "", "Authorization", "", "Cookie", forged, "X-CSRF-Token", csrf)
		r.problem(401, "unauthenticated")
		require.Contains(t, r.Header.Get("Set-Cookie"), "Max-Age=0", name)
	}
	b.ask("GET", "/admin/v1/sales", "", "Authorization", "", "Cookie", cookie).is(200)
	b.ask("GET", "/admin/v1/sales", "", "Authorization", "Bearer wrong", "Cookie", cookie).problem(401, "unauthenticated")
}

// A page of another site whose name resolves to the listener (DNS rebinding) reaches neither the console nor a session.
func TestHostNames(t *testing.T) {
	b := newBench(t, func(o *Options) { o.Hosts = access.Hosts{"ops.example.com"} })
	b.api.deps.Console = http.NotFoundHandler()
	cookie, _ := b.signIn(operatorToken)
	ask := func(host, method, path, body string) *reply {
		request := b.request(method, path, strings.NewReader(body), "Authorization", "", "Cookie", cookie)
		request.Host = host
		return do(t, request)
	}
	for _, host := range []string{"evil.example:8081", "ops.example.com.evil.example", "127.0.0.1.evil.example", "localhosts"} {
		ask(host, "GET", "/admin/v1/sales", "").problem(421, "unknown_host")
		ask(host, "POST", "/admin/v1/session", `{"token":"`+operatorToken+`"}`).problem(421, "unknown_host")
	}
	for _, host := range []string{
		"OPS.example.com:443", "ops.example.com", "127.0.0.1:8081", "[::1]:8081", "localhost", "a.localhost",
	} {
		ask(host, "GET", "/admin/v1/sales", "").is(200)
	}
	request := b.request("GET", "/admin/v1/sales", nil)
	request.Host = "gateway.shop.svc"
	do(t, request).is(200)
}

// Guesses are slow for each address and, from many addresses, for each name that a forged cookie claims. The right cookie and
// the right token never wait.
func TestGuessesAreSlowed(t *testing.T) {
	b := newBench(t)
	b.api.strangers.pace = time.Hour
	cookie, _ := b.signIn(operatorToken)
	forged := cookie[:len(cookie)-2] + "AA"
	guesses := []func() *reply{
		func() *reply { return b.ask("POST", "/admin/v1/session", `{"token":"wrong"}`, "Authorization", "") },
		func() *reply { return b.ask("GET", "/admin/v1/sales", "", "Authorization", "", "Cookie", forged) },
	}
	for i := range strangerBurst {
		guesses[i%2]().problem(401, "unauthenticated")
	}
	for _, guess := range guesses {
		guess().problem(429, "rate_limited")
	}
	b.ask("GET", "/admin/v1/sales", "", "Authorization", "", "Cookie", cookie).is(200)
	b.ask("GET", "/admin/v1/sales", "").is(200)

	name := strangerKey{name: "night"}
	now := time.Now()
	s := newStrangers(nil, nil)
	for range strangerBurst {
		wait, ok := s.delay(name, now)
		require.True(t, ok)
		require.LessOrEqual(t, wait, time.Duration(0))
	}
	wait, ok := s.delay(name, now)
	require.True(t, ok)
	require.Equal(t, s.pace, wait)
}

func TestLinkSignsInOnce(t *testing.T) {
	b := newBench(t)
	b.api = New(Options{Tokens: testTokens}, Deps{Console: http.NotFoundHandler(), Trail: b.store})
	b.url = listen(t, b.api)
	once := b.api.SignInOnce(adminToken)
	first := b.ask("GET", "/?once="+once, "", "Authorization", "")
	require.Equal(t, 303, first.Status)
	require.Equal(t, "/", first.Header.Get("Location"))
	require.Equal(t, "no-referrer", first.Header.Get("Referrer-Policy"))
	cookies := (&http.Response{Header: first.Header}).Cookies()
	require.Len(t, cookies, 1)
	require.Equal(t, "admin", b.ask("GET", "/admin/v1/session", "", "Authorization", "", "Cookie", cookies[0].Name+"="+
		cookies[0].Value).is(200)["name"])
	for _, used := range []string{once, "", "never"} {
		again := b.ask("GET", "/?once="+used, "", "Authorization", "")
		require.Equal(t, 303, again.Status)
		require.Empty(t, again.Header.Get("Set-Cookie"))
		require.Equal(t, "/#/link-used", again.Header.Get("Location"), "the page says why it asks for a token")
	}
}

// A stream does not outlast the session that it began with; a token has no end.
func TestAStreamEndsWithItsSession(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale, "preload", "open")
	session, known := b.api.people.Begin(operatorToken, time.Now().Add(2*time.Second-access.SessionLength))
	require.True(t, known)
	response := b.stream("GET", liveOf, "Authorization", "", "Cookie", sessionCookie+"="+session.Cookie)
	defer response.Body.Close()
	require.Equal(t, 200, response.StatusCode)
	_, err := io.Copy(io.Discard, response.Body)
	require.NoError(t, err, "the answer has ended")
	require.False(t, time.Now().Before(session.Expires))
	b.ask("GET", liveOf, "", "Authorization", "", "Cookie", sessionCookie+"="+session.Cookie).problem(401, "unauthenticated")
}
