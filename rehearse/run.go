package rehearse

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"flashsale/app"
	"flashsale/loadtest"
	"flashsale/role"
	"flashsale/sale"
	"flashsale/settings"
)

// Certify reads the stores of a deployment without the engine and returns the verdict, and a line for each violation.
type Certify func(ctx context.Context, s *settings.Settings, saleID string) (verdict string, violations []string, err error)

const (
	tearDownLimit  = 3 * time.Minute
	drainAfter     = 20 * time.Second // beyond the limit, so that a late end is measured and not only missed
	certifyLimit   = 5 * time.Minute
	payEvery       = 50 * time.Millisecond
	maxConnections = 60_000 // of the generator
	maxLetters     = 1000   // dead letters that the report counts
)

// Run rehearses a sale. The shadow is removed when Run returns, whatever happened; an error that says otherwise names what is
// left. Without a report nothing was rehearsed: the error says why.
func Run(ctx context.Context, o Options, certify Certify) (result *Report, err error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if err := readMachine(app.DescriptorLimit()).check(o.Buyers, o.Gateways); err != nil {
		return nil, err
	}
	g, err := openGround(ctx, &o)
	if err != nil {
		return nil, err
	}
	st := &stage{ground: g}
	working, cancel := context.WithCancelCause(ctx)
	result, err = st.play(working, cancel, &o, certify)
	if cause := context.Cause(working); err != nil && cause != nil {
		err = cause // what it led to says less
	}
	cancel(nil)
	o.say("removing the shadow")
	down, stop := context.WithTimeout(context.WithoutCancel(ctx), tearDownLimit)
	defer stop()
	return result, errors.Join(err, st.tearDown(down), g.close())
}

// play makes the shadow and performs in it. It cancels its own context with the cause when the rehearsal must end early.
func (st *stage) play(ctx context.Context, cancel func(error), o *Options, certify Certify) (*Report, error) {
	o.say("making the shadow: schema %s, topics %s.*, keys %[2]s:*", st.names.Schema(), st.names.Namespace())
	if err := st.make(ctx); err != nil {
		return nil, err
	}
	watching, stop := context.WithCancel(ctx)
	var watch sync.WaitGroup
	watch.Go(func() {
		if err := st.watch(watching); err != nil {
			cancel(err)
		}
	})
	defer func() { stop(); watch.Wait() }()
	if err := st.build(ctx, o); err != nil {
		return nil, err
	}
	return st.perform(ctx, o, certify)
}

// perform sends the crowd, pays, and judges.
func (st *stage) perform(ctx context.Context, o *Options, certify Certify) (*Report, error) {
	result := &Report{
		Sale: o.Sale, Notes: st.notes,
		Asked: Asked{Buyers: o.Buyers, Rate: o.Rate, Gateways: o.Gateways, Settles: o.Settles, Pay: o.Pay},
	}
	pay, name, closePayer, err := st.openPayer(o)
	if err != nil {
		return nil, err
	}
	defer closePayer()
	paying, stopPaying := context.WithCancel(ctx)
	defer func() { stopPaying(); pay.workers.Wait() }()
	pay.start(paying)
	m := st.meters()
	metering, stopMeters := context.WithCancel(ctx)
	defer func() { stopMeters(); <-m.finished }()
	go m.run(metering)
	memory := loadtest.NewMemory(o.Sale)
	o.say("%d buyers press, %g presses a second", o.Buyers, o.Rate)
	rush, err := loadtest.Rush(ctx, st.rushOptions(o, pay, memory))
	if rush == nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	o.say("the crowd is done; waiting for payments and judging the books")
	awaitPayments(ctx, pay, o.PayWithin)
	stopMeters()
	<-m.finished
	result.Payments = pay.results(name, o.PayWithin)
	result.fill(rush)
	result.Headroom = m.headroom(time.Duration(rush.Seconds * float64(time.Second)))
	result.Headroom.JournalBound = int64(o.Settings.Reserve.JournalMaxOrders)
	result.Headroom.MaxInFlight = int64(o.Settings.Gateway.MaxInFlight) * int64(o.Gateways)
	result.charts = append(rush.Charts(), m.charts()...)
	result.tables = rush.Tables()
	if err != nil { // every press was refused for one reason, or none was sent
		result.Notes = append(result.Notes, "The crowd could not buy: "+err.Error()+".")
	}
	st.readBooks(ctx, result, memory, certify)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	result.judge(o.Limits)
	return result, nil
}

// rushOptions are those of the crowd. Each answer is remembered for the judge of the books, and each new order goes to the
// payer.
func (st *stage) rushOptions(o *Options, pay *payer, memory *loadtest.Memory) loadtest.RushOptions {
	skus := make([]string, len(st.sale.Items))
	for i := range st.sale.Items {
		skus[i] = st.sale.Items[i].SKU
	}
	connections := min(o.Buyers, maxConnections)
	return loadtest.RushOptions{
		Servers: st.gateways, Sale: o.Sale, SKUs: skus, Crowd: st.crowd, Rate: o.Rate, Repeat: o.Repeat, Seed: o.Seed,
		Connections: min(connections, 256), MaxConnections: connections, Timeline: true,
		Books:     func(ctx context.Context) (map[string]sale.Stock, error) { return st.api.Stock(ctx, o.Sale) },
		BooksWait: o.Limits.MaxDrain + drainAfter,
		Each: func(t *loadtest.Told) {
			_ = memory.Add(*t) // it never fails
			if order := ordered(t, &st.sale); order != nil {
				pay.take(order)
			}
		},
	}
}

// ordered returns the order that a press has become, nil for an answer without one.
func ordered(t *loadtest.Told, of *sale.Sale) *told {
	own := []string{sale.OutcomeQueued.String(), sale.OutcomeHeld.String(), sale.OutcomeReplayed.String()}
	if t.OrderID == "" || !slices.Contains(own, t.Code) {
		return nil
	}
	id, err := sale.ParseOrderID(t.OrderID)
	if err != nil {
		return nil // the judge of the books counts it as unreadable
	}
	lines := make([]sale.Line, len(t.Lines))
	for i, line := range t.Lines {
		lines[i] = sale.Line{SKU: line.SKU, Quantity: line.Quantity}
	}
	return toldOf(id, t.Buyer, lines, of)
}

// openPayer returns the payer that was asked for and what closes it.
func (st *stage) openPayer(o *Options) (pay *payer, name string, closePayer func(), err error) {
	client := newPayClient()
	if o.PayURL == "" {
		one := &builtin{http: client, base: st.base, token: st.settings.Shop.Token.Reveal()}
		pay = newPayer(o.Pay, o.Seed, one.pay)
		one.paid = pay.paid
		return pay, "built-in", client.CloseIdleConnections, nil
	}
	one := &shop{http: client, url: o.PayURL, token: secret().Reveal()}
	pay = newPayer(o.Pay, o.Seed, one.pay)
	d, err := openDesk(o.CallbackListen, &desk{
		token: one.token, operators: st.base, shopToken: st.settings.Shop.Token.Reveal(), paid: pay.paid,
	})
	if err != nil {
		return nil, "", nil, err
	}
	one.callback = d.base
	return pay, o.PayURL, func() {
		client.CloseIdleConnections()
		if err := d.close(); err != nil {
			o.say("the listener of call-backs did not end cleanly: %v", err)
		}
	}, nil
}

// awaitPayments waits while a call-back that has not arrived may still be in time: that of an order that the shop was told of
// less than within ago, or not yet, because others were before it. It gives up when none has arrived for so long.
func awaitPayments(ctx context.Context, pay *payer, within time.Duration) {
	began := time.Now()
	role.Until(ctx, role.Always(payEvery), func() bool {
		open, last := pay.open(within)
		return !open || time.Since(began) > within && time.Since(last) > within
	})
}

func (st *stage) meters() *meters {
	m := &meters{
		redis: st.redis, buckets: st.sale.BucketNames(), start: time.Now(), memory: map[string]*RedisLoad{},
		finished: make(chan struct{}), watched: []watchedProcess{{"crowd and payer", os.Getpid()}},
	}
	for i, c := range st.children {
		m.watched = append(m.watched, watchedProcess{fmt.Sprintf("%s %d", c.name, i+1), c.pid()})
	}
	return m
}

// fill takes over what the crowd saw.
func (r *Report) fill(rush *loadtest.Report) {
	r.Rush = Rush{
		Presses: rush.Presses, Reached: rush.Reached, Late: rush.Late, Connections: rush.Connections, Seconds: rush.Seconds,
		P50: rush.Latency.P50, P90: rush.Latency.P90, P99: rush.Latency.P99, Max: rush.Latency.Max, Ended: rush.Ended,
	}
	r.Drain = -1
	if len(rush.Books) == 0 {
		return
	}
	last := rush.Books[len(rush.Books)-1]
	r.Books.InFlight = last.Stock.InFlight
	if last.Err == nil && last.Stock.InFlight == 0 {
		r.Drain = max(last.After.Seconds()-rush.Seconds, 0)
	}
}

// readBooks has the books judged three times: by the engine's equation, by the answers to the buyers, and without the engine.
func (st *stage) readBooks(parent context.Context, r *Report, memory *loadtest.Memory, certify Certify) {
	ctx, cancel := context.WithTimeout(parent, certifyLimit)
	defer cancel()
	b := &r.Books
	b.Off, b.Violations = []string{}, []string{}
	verdict, err := loadtest.Judge(ctx, evidence{st}, r.Sale, memory)
	if err == nil {
		b.Sold, b.Oversold, b.Duplicated, b.InFlight = verdict.Sold, verdict.Oversold, verdict.Duplicated, verdict.InFlight
		b.Lost, b.Untold = *verdict.Lost, *verdict.Untold
		for i := range verdict.Items {
			b.Loaded += verdict.Items[i].Loaded
			if verdict.Items[i].Difference != 0 {
				b.Off = append(b.Off, verdict.Items[i].SKU)
			}
		}
		b.Certificate, b.Violations, err = certify(ctx, st.settings, r.Sale)
	}
	if err == nil {
		var waiting sale.LetterPage
		waiting, err = st.schema.Store().DeadLetters(ctx, &sale.LetterQuery{State: sale.DeadLetterWaiting, Limit: maxLetters})
		b.DeadLetters = int64(len(waiting.Letters))
	}
	if err != nil {
		b.Fault = err.Error()
	}
	for _, c := range st.children {
		if !c.running() {
			r.Notes = append(r.Notes,
				fmt.Sprintf("A process ended during the rehearsal: %s. Its last lines: %s", c.name, c.log()))
		}
	}
}

// evidence reads the rows from the shadow's database and the stock from its operators' API.
type evidence struct{ *stage }

// Sale returns the shadow's definition.
func (e evidence) Sale(ctx context.Context, id string) (sale.Sale, error) {
	return e.schema.Store().Sale(ctx, id)
}

// EachOrder calls each with every order row.
func (e evidence) EachOrder(ctx context.Context, id string, each func(sale.Order) error) error {
	return e.schema.Store().EachOrder(ctx, id, each)
}

// Stock returns the terms of the stock equation.
func (e evidence) Stock(ctx context.Context, id string) (map[string]sale.Stock, error) {
	return e.api.Stock(ctx, id)
}
