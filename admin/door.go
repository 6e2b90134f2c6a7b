package admin

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"flashsale/access"
	"flashsale/sale"
	"flashsale/tracing"
)

// Notes writes into the trail what this process itself does or refuses. The actor is that of the context.
type Notes interface {
	Note(ctx context.Context, change sale.Change) error
	NoteRefused(ctx context.Context, change sale.Change, code string) error
}

// bodyLimit is how long a body may take to arrive.
const bodyLimit = 30 * time.Second

// door is the checks that every request of operators passes, in every process.
type door struct {
	people    *access.Tokens
	hosts     access.Hosts
	strangers *strangers
	notes     Notes // nil: nothing is written into the trail
	bodyLimit time.Duration
	process   string          // the name of this process
	tracer    *tracing.Tracer // nil: no spans
	log       *slog.Logger
}

// serve runs the checks that all routes share before a route's handler: first who asks and whether the role may, then the
// bound of the body.
func (d *door) serve(route route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &call{w: w, r: r}
		if problem, refused := d.admit(c, route.need); refused {
			writeProblem(w, problem)
			return
		}
		span := d.beginSpan(c, route)
		if span == nil {
			d.handle(c, w, route)
			return
		}
		recorder := &statusRecorder{ResponseWriter: w, unwritten: http.StatusInternalServerError}
		c.w = recorder
		defer recorder.end(span)
		d.handle(c, w, route)
		recorder.unwritten = http.StatusOK
	})
}

// handle reads the body, runs the route's handler and answers its error. The bound of the body needs the server's own writer.
func (d *door) handle(c *call, w http.ResponseWriter, route route) {
	var err error
	if !route.streamed {
		c.body, err = readBody(w, c.r, d.bodyLimit)
	}
	if err == nil {
		err = route.handle(c)
	}
	if err != nil {
		d.noteRefused(c, route, err)
		d.fail(c, err)
	}
}

// beginSpan begins the span of a request that an operator may make, under the one that the operator's own program has begun.
// Public routes have none, and neither have reads that last as long as a screen is open.
func (d *door) beginSpan(c *call, route route) *tracing.Span {
	if d.tracer == nil || route.need == public || strings.HasSuffix(route.path, "/live") {
		return nil
	}
	span := d.tracer.Server(route.path, time.Now(), []byte(c.r.Header.Get(sale.Traceparent)), true)
	span.Text("http.request.method", c.r.Method)
	span.Text("http.route", route.path)
	span.Text("request_id", c.actor.RequestID)
	if id := c.r.PathValue("sale"); sale.ValidID(id) {
		span.Text("flashsale.sale", id)
	}
	c.r = c.r.WithContext(span.Into(c.r.Context()))
	return span
}

// fail answers an error. Faults of the stores are also logged, because the answer leaves out their details.
func (d *door) fail(c *call, err error) {
	problem, fault := problemOf(err)
	if fault {
		d.log.Error("operators' request failed", "method", c.r.Method, "path", c.r.URL.Path, "request_id",
			c.actor.RequestID, "trace_id", tracing.Current(c.r.Context()).Trace(), "error", err)
	}
	writeProblem(c.w, problem)
}

// noteLimit bounds the writing of an entry of the trail.
const noteLimit = 2 * time.Second

// noteRefused writes into the trail that an operator's change was refused. It leaves out the shop's requests, which are refused
// as a matter of course, and answers that leave open what was changed.
func (d *door) noteRefused(c *call, route route, cause error) {
	if route.verb == "" || d.notes == nil || c.actor.Role == sale.RoleShop {
		return
	}
	problem, _ := problemOf(cause)
	if problem.Status >= http.StatusInternalServerError || isRemembered(&problem) {
		return // whether the change was made is unknown; one that was made has its entry, as a remembered payment has
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.r.Context()), noteLimit)
	defer cancel()
	change := sale.Change{Sale: c.r.PathValue("sale"), Verb: route.verb, Target: c.target(d.process)}
	if !sale.ValidID(change.Sale) {
		change.Sale = ""
	}
	if err := d.notes.NoteRefused(ctx, change, problem.Code); err != nil {
		d.log.Warn("a refused change could not be written into the trail", "verb", route.verb, "target", change.Target,
			"outcome", problem.Code, "error", err)
	}
}
