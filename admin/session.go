package admin

import (
	"net/http"
	"strings"
	"time"

	"flashsale/access"
	"flashsale/sale"
)

const sessionPath = "/admin/v1/session"

// signInBody is the body of POST /admin/v1/session.
type signInBody struct {
	Token   member[string] `json:"token"`
	Unknown unknown        `json:",unknown"`
}

// sessionAnswer tells a browser who it is. A request by a token has no session, so no csrf and no expires_at.
type sessionAnswer struct {
	Name    string     `json:"name"`
	Role    sale.Role  `json:"role"`
	CSRF    string     `json:"csrf,omitempty"` // what the header X-CSRF-Token of each write repeats
	Expires *sale.Time `json:"expires_at,omitempty"`
}

// signIn begins a session for the token in the body.
func (a *API) signIn(c *call) error {
	if problem, refused := a.refuseHost(c.r); refused {
		return problem
	}
	var in signInBody
	found, err := decodeStrict(c.body, &in, nil)
	if err != nil {
		return err
	}
	found.need("token", in.Token.given)
	if err := found.join(nil); err != nil {
		return err
	}
	session, known := a.people.Begin(in.Token.value, time.Now())
	if !known {
		return a.strangers.refuseGuess(c.w, c.r, "")
	}
	a.setCookie(c, &session)
	a.opts.Logger.Info("operator signed in", "name", session.Actor.Who, "role", session.Actor.Role)
	return c.answer(http.StatusOK, answerOf(&session))
}

func answerOf(s *access.Session) sessionAnswer {
	return sessionAnswer{Name: s.Actor.Who, Role: s.Actor.Role, CSRF: s.CSRF, Expires: &sale.Time{Time: s.Expires}}
}

// getSession tells who asks.
func (a *API) getSession(c *call) error {
	if c.session == nil {
		return c.answer(http.StatusOK, sessionAnswer{Name: c.actor.Who, Role: c.actor.Role})
	}
	return c.answer(http.StatusOK, answerOf(c.session))
}

// signOut ends the browser's cookie. It needs no session, so that a browser with an old cookie gets rid of it; the CSRF header
// is not asked for, because nothing but this cookie ends.
func (a *API) signOut(c *call) error {
	endCookie(c)
	c.w.Header().Set("Cache-Control", "no-store")
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

// SignInOnce returns a token that signs in once, by GET /?once=TOKEN, as the bearer of the given token would.
func (a *API) SignInOnce(token string) string { return a.once.Make(token, time.Now()) }

// servePage serves the console's files, and the link that signs in once.
func (a *API) servePage(c *call) error {
	if problem, refused := a.refuseHost(c.r); refused {
		return problem
	}
	if c.r.URL.Query().Has("once") {
		return a.signInByLink(c)
	}
	a.deps.Console.ServeHTTP(c.w, c.r)
	return nil
}

// linkUsed is where a link leads that signs nobody in any more: the page says so.
const linkUsed = "/#/link-used"

// signInByLink begins the session of a one-time token in the query and sends the browser to the page without it.
func (a *API) signInByLink(c *call) error {
	place := linkUsed
	secret, ok := a.once.Take(c.r.URL.Query().Get("once"), time.Now())
	session, known := a.people.Begin(secret, time.Now())
	if ok && known {
		place = "/"
		a.setCookie(c, &session)
		a.opts.Logger.Info("operator signed in by a link", "name", session.Actor.Who, "role", session.Actor.Role)
	} else if refusal := a.strangers.refuseGuess(c.w, c.r, ""); refusal.Status == http.StatusTooManyRequests {
		return refusal
	}
	c.w.Header().Del("WWW-Authenticate")
	h := c.w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Location", place)
	c.w.WriteHeader(http.StatusSeeOther) // without a session the page asks for a token
	return nil
}

func (a *API) setCookie(c *call, s *access.Session) {
	cookie := cookieOf(c.r)
	cookie.Value, cookie.MaxAge = s.Cookie, int(access.SessionLength/time.Second)
	http.SetCookie(c.w, cookie)
}

func endCookie(c *call) {
	cookie := cookieOf(c.r)
	cookie.MaxAge = -1
	http.SetCookie(c.w, cookie)
}

// cookieOf returns the session's cookie. It is Secure where the browser uses TLS, which a proxy tells.
func cookieOf(r *http.Request) *http.Cookie {
	return &http.Cookie{
		Name: sessionCookie, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https"),
	}
}
