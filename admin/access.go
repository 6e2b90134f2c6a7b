package admin

import (
	"crypto/rand"
	"net/http"
	"slices"
	"strings"
	"time"

	"flashsale/sale"
)

// Headers of requests and answers.
const (
	headerRequestID = "X-Request-Id"
	headerCSRF      = "X-CSRF-Token"
)

// sessionCookie is the name of the cookie of a browser that has signed in.
const sessionCookie = "flashsale_session"

// admit finds out who asks and whether the role may use a route. Changes of the request are then written into the trail as
// those of the actor.
func (d *door) admit(c *call, need need) (problem sale.Problem, refused bool) {
	id := c.r.Header.Get(headerRequestID)
	if !sale.ValidRequestID(id) {
		id = rand.Text()
	}
	c.w.Header().Set(headerRequestID, id)
	c.actor.RequestID = id
	if need == public {
		return sale.Problem{}, false
	}
	if problem, refused = d.identify(c); refused {
		return problem, true
	}
	c.actor.RequestID = id
	c.r = c.r.WithContext(sale.WithActor(c.r.Context(), c.actor))
	return refuseRole(c.actor.Role, need)
}

// identify finds the actor by the Authorization header, or without one by the cookie of a session.
func (d *door) identify(c *call) (problem sale.Problem, refused bool) {
	cookie, err := c.r.Cookie(sessionCookie)
	if err != nil || len(c.r.Header.Values("Authorization")) > 0 {
		if d.people.None() {
			c.w.Header().Set("WWW-Authenticate", "Bearer")
			return problemNoTokens, true
		}
		actor, known := d.people.Of(bearer(c.r))
		if !known {
			return d.strangers.refuse(c.w, c.r), true
		}
		c.actor = actor
		return sale.Problem{}, false
	}
	if problem, refused = d.refuseHost(c.r); refused {
		return problem, true
	}
	session, claimed, ok := d.people.Resume(cookie.Value, time.Now())
	if !ok {
		endCookie(c)
		return d.strangers.refuseGuess(c.w, c.r, claimed), true
	}
	c.actor, c.session = session.Actor, &session
	if c.r.Method != http.MethodGet && c.r.Method != http.MethodHead && !session.Writes(c.r.Header.Get(headerCSRF)) {
		return problemCSRF, true
	}
	return sale.Problem{}, false
}

// refuseRole refuses a role that may not use a route.
func refuseRole(role sale.Role, need need) (problem sale.Problem, refused bool) {
	allowed := needs[need]
	if slices.Contains(allowed.allowed, role) {
		return sale.Problem{}, false
	}
	return sale.Problem{
		Status: http.StatusForbidden, Code: codeForbidden, Title: "The role of this token does not allow this",
		Detail:  "the token has the role " + string(role) + "; " + string(allowed.least) + " is needed",
		Members: []sale.Member{{Name: "role", Value: allowed.least}},
	}, true
}

// refuseHost refuses a browser that came by a host name which is not the listener's.
func (d *door) refuseHost(r *http.Request) (problem sale.Problem, refused bool) {
	if d.hosts.Allows(r.Host) {
		return sale.Problem{}, false
	}
	return sale.Problem{
		Status: http.StatusMisdirectedRequest, Code: codeUnknownHost, Title: "Browsers may not use this host name",
		Detail: "set admin.hosts to the name under which browsers reach the operators' listener",
	}, true
}

// bearer returns the token of the only Authorization header, empty for none, for two, and for another scheme. No empty token is
// known.
func bearer(r *http.Request) string {
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return ""
	}
	scheme, token, ok := strings.Cut(values[0], " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimLeft(token, " ")
}
